"""The caller's audio to turn events: frames put in order, resampled, sent to Flux, its answers followed.

It may import `carrier` and what is below it. Its door is `deepgram.FluxClient`.
"""
