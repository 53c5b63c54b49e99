"""The local engine's model files: where each comes from (`catalogue`), and how it gets here (`fetch`).

`python -m telephony.engine.models` fetches all of them.
"""
