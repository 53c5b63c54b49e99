"""The wires to Deepgram that listening and speaking share: messages, their codec and rules, the socket.

It may import `base`, `audio` and `errors`. Its doors are `transport`, `flux_codec` and `speak_messages`. The
local engine and the pretend services speak the same messages.
"""
