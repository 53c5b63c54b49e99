"""A phone line with a mind at the other end. This is its map; read the folders in the order that audio flows.

carrier/      1  the phone line: Twilio's messages, webhooks and REST; a pretend carrier that calls us
listen/       2  the caller's audio -> turn events, through Flux
reply/        3  what the caller said -> what we say: agents, the default script
speak/        4  our words -> the caller's ear: phrases, the voice, pacing, what was heard

conversation     one call: events in, commands out. PURE, with its parts:
                 agent_side (drafts), caller_side (keys), floor, scene, policy, timers, resuming;
                 their words in events
call             one call: a TaskGroup around one conversation; reading is its carrier, speaking its voice,
                 saving what a new stream of it would need should this process die;
                 intake: what all callers' sockets bring, taken together; speech_state: is its speech there?
                 call_facts: what others ask of it
record/          the call afterwards: tape, account of its turns, store; recovery, when its process died
rehearsal        a whole conversation on virtual time, for tests and benches (rehearsal_voice)

audio            mu-law, linear16, framing; with resampling, leveler, wav
sound_source     where a recording comes from: file, pipe, URL; sound_kinds: what the others are
serve, app       the server's life, and its routes; line, opening and services put it together
entrance         who may come in: guard decides what is local, brake slows down who guesses keys;
                 connections: how many, and whether their peers read (tcp_state)
api, routes      the API for programs; who answers which number (routes_file reads it)
shared, seats    what processes share: tokens, seats, resumes, caps, and a time that no clock change moves
                 (machine), in shared_file; shared_memory goes on without it; processes: which of them live;
                 withheld: what they do not share
endings          a call that is over is told to its agent
private_files    what calls leave on the disk is this user's alone
warm             speech that is connected early
readiness        would a call go well now? with speech_health, out of the health that calls tell of
upgraded         a websocket gets frames only
dialling         outbound calls, under dial_policy; phone_numbers as people write them and as Twilio says them
twiml_files      what Twilio is told, from twiml/

llm/             language models: chat completions, tools (chat: what is sent and what comes back)
engine/          the local speech engine, a process of its own: recognizer, turn detector, voice
standins/        pretend speech services at the wire, with faults on demand
demo/            the recorded caller of `make demo`
testing          `place_call`, a pytest fixture for tests of your own agent

terminal         where colour may be written
cli              the command line (__main__ comes first, for wrong Pythons), and its commands:
                 serve, doctor (doctor_peers, speech_check), dial_command, number_command, delete_command,
                 transcribe/
config           the settings table; values and secret are its kinds of values, secret_rules theirs;
                 env_file reads .env
errors, refusals what can go wrong, and what to do when a service refuses
metrics, pulse   what is counted and measured, for Prometheus; how late the event loop is
logs, fast_json  lines without secrets (masking); JSON on the hot path; value: classes of what happens;
                 wire_numbers: the numbers of a peer's messages, in bounds;
                 children: processes that are ended in order
"""

__version__ = "0.1.0"
