"""Samples: mu-law and linear16, resampling, gain, WAV, DTMF tones. Every file is PURE.

It may import `base` and `errors`.
"""
