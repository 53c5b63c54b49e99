"""One call's outbound audio, from command to socket: the voice's audio is kept, paced, encoded, written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from telephony import events as ev
from telephony.audio.g711 import PHONE_RATE
from telephony.call.resources import CallResources
from telephony.call.sound_observer import SoundObserver
from telephony.call.synthesis import Synthesis
from telephony.carrier.media_stream import ServerStream
from telephony.carrier.websocket import FrameSocket
from telephony.carrier.writer import CarrierWriter
from telephony.conversation.acoustic_echo import OwnSound
from telephony.playback.pacer import Mark, PacedPiece, Pacer, SpokenStore
from telephony.speak.phrase_order import Part


class Outbound:
    """`put` gets what happened; `now` gives the call's own time, in seconds.

    `phrase_sent(mark, in_s)` is called when all of a phrase was sent: in `in_s` seconds it is heard.
    """

    def __init__(
        self,
        socket: FrameSocket,
        stream: ServerStream,
        resources: CallResources,
        call_sid: str,
        own_sound: OwnSound,
        put: Callable[[ev.Event], None],
        now: Callable[[], float],
        phrase_sent: Callable[[Mark, float], None],
        observer: SoundObserver | None = None,
    ) -> None:
        self._stream = stream
        self._own_sound = own_sound
        self._observer = observer
        self._put = put
        self._now = now
        self._phrase_sent = phrase_sent
        self._loop = asyncio.get_running_loop()
        self._store = SpokenStore()
        self._pacer = Pacer()
        self._phrase_ends: dict[int, list[int]] = {}
        """By reply, where its phrases end, in samples."""
        self._writer = CarrierWriter(socket, resources.host.metrics.barged_in)
        self.synthesis = Synthesis(
            resources.speak,
            resources.phrases,
            call_sid,
            put,
            self.store,
            lambda: self._store.samples / PHONE_RATE,
        )
        self.samples_sent = 0
        """Samples handed to the writer."""

    def start(self, group: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """Start its tasks: one keeps the voice's connection, one writes what the carrier does not take now.

        They run until they are cancelled. (A group of their own would stay behind as a reference cycle.)
        """
        return [group.create_task(self.synthesis.run()), group.create_task(self._writer.run())]

    def dispose(self) -> None:
        """It is over: the voice's side and this one refer to each other."""
        del self.synthesis, self._put, self._now, self._phrase_sent

    # what the conversation commands

    def cancel(self, command: ev.CancelReply) -> None:
        """Give a reply up."""
        self.synthesis.cancel(command.reply, command.heard_ms)
        self._forget(command.reply)

    def drop(self, command: ev.DropAudio) -> None:
        """A reply was heard to its end."""
        self.synthesis.forget(command.reply)
        self._forget(command.reply)

    def _forget(self, reply: int) -> None:
        self._store.drop(reply)
        self._phrase_ends.pop(reply, None)

    def play(self, command: ev.Play) -> None:
        """Feed a reply to the line from now on."""
        ends = self._phrase_ends.get(command.reply, [])
        available = self._store.available(command.reply)
        self._pacer.play(command.reply, command.start, command.segment, available, ends)
        self._write_due()

    def stop(self) -> None:
        """The line was cleared: feed nothing more."""
        self._pacer.stop(self._now(), cleared=True)

    def clear(self, since: float | None) -> None:
        """Have the carrier throw away what it has not played.

        `since`: the monotonic time of what the caller did, if it was the caller.
        """
        if self._observer is not None:
            self._observer.cleared()
        self._writer.clear(self._stream.encode_clear(), since)
        self._own_sound.cleared(self._loop.time())

    # what the call asks

    def tick(self) -> None:
        """Write what is due by now. Called every 100 ms."""
        if self._pacer.reply is not None:
            self._write_due()

    @property
    def underruns(self) -> int:
        """Times that a reply's audio was not there when it was due."""
        return self._pacer.underruns

    def stuck(self, now: float, overdue_s: float) -> bool:
        """Whether the carrier must be given up, by the loop's time; see `CarrierWriter.stuck`."""
        return self._writer.stuck(now, overdue_s)

    def store(self, reply: int, parts: Sequence[tuple[int, Part]]) -> None:
        """Keep the next audio of a reply, and the ends of its phrases; write what of it is due."""
        for phrase, part in parts:
            if isinstance(part, bytes):
                self._pacer.extend(reply, self._store.append(reply, part))
                self._put(ev.ReplyAudio(reply, phrase, len(part)))
                continue
            end = self._store.available(reply)
            if end:
                self._phrase_ends.setdefault(reply, []).append(end)
                self._pacer.phrase_end(reply, end)
            self._put(ev.PhraseSpoken(reply, phrase, part.words, part.problem))
        if self._pacer.reply == reply:
            self._write_due()

    def _write_due(self) -> None:
        """Encode and write what is due now, in one piece, and report it."""
        due = self._pacer.due(self._now())
        if not due:
            return
        texts: list[str] = []
        sent: list[ev.Sent | ev.MarkSent] = []
        for part in due:
            if isinstance(part, Mark):
                if part.sample in self._phrase_ends.get(part.reply, ()):
                    self._phrase_sent(part, self._pacer.playing_s(self._now()))
                texts.append(self._stream.encode_mark(part.name))
                last = sent[-1] if sent else None
                if isinstance(last, ev.Sent) and not last.mark and last.end == part.sample:
                    sent[-1] = ev.Sent(last.reply, last.start, last.end, part.name)
                else:
                    sent.append(ev.MarkSent(part.name, part.reply, part.sample))
            else:
                texts.append(self._encode(part))
                sent.append(ev.Sent(part.reply, part.start, part.end))
        self._writer.put(*texts)
        for event in sent:
            self._put(event)

    def _encode(self, piece: PacedPiece) -> str:
        sound = self._store.read(piece.reply, piece.start, piece.end)
        self._own_sound.ours(sound, self._loop.time())
        if self._observer is not None:
            self._observer.agent(sound)
        self.samples_sent += piece.end - piece.start
        return self._stream.encode_media(sound)
