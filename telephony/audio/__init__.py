"""Samples: mu-law and linear16, resampling, gain, WAV, DTMF tones. Every file is PURE.

It may import `base` and `errors`. It has no door: each file is one kind of sound, or one thing to do with it.
"""
