"""The pretend carrier, in the order it acts: asks the webhook, carries out TwiML, plays a caller, reports.

It may import `audio`, `config` and what is below them, and of the real carrier `media_messages`, `signature`
and the limits of `twiml` only. The server does not import it. Its door is `simulator`.
"""
