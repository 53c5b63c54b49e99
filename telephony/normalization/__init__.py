"""Text normalization: written words as a person reads them aloud, each tied to its place. Every file is PURE.

It may import `errors`. Its door is `spoken_form.spoken_form`.
"""
