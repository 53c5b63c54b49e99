"""Twilio's side of a call: its webhooks' signatures and tokens, TwiML, media-stream messages, REST.

The real carrier only; the pretend one is in `simulator/`. It may import what stands before it in the order of
tests/test_layout.py. Its doors are `media_stream.ServerStream` and `rest.TwilioRest`.
"""
