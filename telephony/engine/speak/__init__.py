"""How the local engine speaks: clauses, voices as processes, their sound, word times.

Its door is `speak_handler`, which speaks Deepgram's protocols (`/v2/speak`, `/v1/speak`).
"""
