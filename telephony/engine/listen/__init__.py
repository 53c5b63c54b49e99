"""The local engine's listening: voice activity, recognition in a process, turns, inverse text normalization.

Its door is `listen_handler`, which speaks Flux's protocol (`/v2/listen`).
"""
