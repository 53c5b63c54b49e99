"""The agent's words to sound: text cut into phrases, the voice's sockets, audio in the order of the phrases.

It may import `reply`, `events` and what is below them. Its door is `deepgram.VoiceClient`.
"""
