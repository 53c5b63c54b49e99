"""The shell of one call: its inbound audio, its outbound audio, and the call that performs the commands.

It may import `record` and what is below it. Its door is `call.Call`.
"""
