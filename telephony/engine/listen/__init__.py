"""How the local engine hears: voice activity, recognition in processes, turns, inverse text normalization.

Its door is `listen_handler`, which speaks Flux's protocol (`/v2/listen`).
"""
