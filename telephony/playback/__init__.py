"""What is playing and what was heard: pacing, positions, the ledger. Every file is PURE.

It may import `events` and what is below it. Its door is `ledger.Ledger`.
"""
