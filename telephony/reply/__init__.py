"""What the caller said to what the agent says: the agents' protocol, scripts, and the runner of replies.

It may import `listen` and what is below it, and nothing of a call. Its doors are `agent`, whose names users
import from `telephony`, `loading.load_agent` and `runner.run_reply`.
"""
