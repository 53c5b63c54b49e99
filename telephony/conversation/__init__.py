"""One call's decisions: events in, commands out. Every file is PURE.

Turns, replies, drafts, barge-in, keys, silence, redaction, the transcript. It may import `playback`,
`reply.agent` and what is below them. Its door is `conversation.Conversation`.
"""
