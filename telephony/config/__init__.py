"""Settings: one table (`settings`), kinds of values, secrets, `.env`, and what may be dialled.

It may import `base`, `audio`, `deepgram` (what Flux can be asked for) and `errors`.
Its door is `settings.Settings.load`.
"""
