"""The call afterwards: its tape, record and recording, consent, retention, recovery after a crash.

It may import `conversation` and what is below it. Its doors are `store.RecordStore` and `recorder`.
"""
