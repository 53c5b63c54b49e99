"""What everything else stands on: this user's files, subprocesses, the store that processes share, throttles.

It may import `errors` only. Nothing here knows what a call is. Its door for what processes
share is `shared_store.SharedStore`; the other files stand alone.
"""
