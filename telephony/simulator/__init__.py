"""The pretend carrier, in the order it acts: asks the webhook, carries out TwiML, plays a caller, reports.

It shares with the real side `carrier.media_messages`, `carrier.signature` and the audio only.
"""
