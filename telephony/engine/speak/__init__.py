"""How the local engine speaks: text normalization, voices as processes, word times.

Its door is `speak_handler`, which speaks Deepgram's protocols (`/v2/speak`, `/v1/speak`).
"""
