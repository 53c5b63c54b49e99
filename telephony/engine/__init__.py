"""The local speech engine: Deepgram's own wires, answered by models on this machine.

server.py has the paths. Listening: listen_handler.py (one client) -> flux_session.py (Flux's state machine)
and recognizer_pool.py -> its own process with recognition.py (the models). Speaking: speak_handler.py
(one client) -> speak_session.py (turns and their accounts) and synthesizer_pool.py. models/ fetches the
models; process.py runs the engine.
"""
