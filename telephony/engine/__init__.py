"""The local speech engine: Deepgram's own wires, answered by models on this machine.

server.py has the paths. Listening: listen_handler.py (one client) -> flux_session.py (Flux's state machine)
and worker_ears.py -> a process of its own with hearing.py (the models). Speaking: speak_handler.py (one
client) -> speak_session.py (turns and their accounts) and voice.py. models.py fetches the models; process.py
and command.py run it all.
"""
