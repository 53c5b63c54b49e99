"""A server that answers calls: TwiML by path, and a media socket that does what a test says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer

from telephony.carrier.media_messages import Media, Stopped
from telephony.carrier.media_stream import ServerEvent, ServerStream

Agent = Callable[["Talk"], Awaitable[None]]

STREAM = '<Stream url="/media"><Parameter name="token" value="t"/></Stream>'
CONNECT = f"<Response><Connect>{STREAM}</Connect></Response>"


@dataclass
class Talk:
    """One media stream, as the server sees it."""

    socket: web.WebSocketResponse
    stream: ServerStream
    headers: dict[str, str]
    events: list[ServerEvent] = field(default_factory=list)

    async def read(self) -> ServerEvent | None:
        """The next event; None at the end of the socket."""
        message = await self.socket.receive()
        if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            return None
        self.events.append(self.stream.receive(message.data))
        return self.events[-1]

    async def until(self, wanted: type[ServerEvent] | Callable[[ServerEvent], bool]) -> ServerEvent:
        """Read up to an event of this kind."""
        test = (lambda e: isinstance(e, wanted)) if isinstance(wanted, type) else wanted
        while (event := await self.read()) is not None:
            if test(event):
                return event
        raise AssertionError(f"the stream ended before {wanted}")

    async def rest(self) -> None:
        """Read to the end of the stream."""
        while await self.read() is not None:
            pass

    @property
    def media(self) -> list[Media]:
        return [event for event in self.events if isinstance(event, Media)]

    @property
    def stopped(self) -> bool:
        return any(isinstance(event, Stopped) for event in self.events)


@dataclass
class TwimlServer:
    """`documents[path]` are the answers in TwiML; requests are kept."""

    agent: Agent
    documents: dict[str, str] = field(default_factory=lambda: {"/twilio/voice": CONNECT})
    content_type: str = "text/xml"
    status: int = 200
    refuse_socket: int | None = None
    requests: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)
    """Path, fields, headers."""
    talks: list[Talk] = field(default_factory=list)

    def __post_init__(self) -> None:
        app = web.Application()
        app.router.add_get("/media", self._media)
        app.router.add_route("*", "/{path:.*}", self._webhook)
        self._server = TestServer(app)

    async def __aenter__(self) -> TwimlServer:
        await self._server.start_server()
        self.url = f"http://127.0.0.1:{self._server.port}"
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._server.close()

    def fields(self, path: str) -> list[dict[str, str]]:
        """The fields of all requests to a path."""
        return [fields for asked, fields, _ in self.requests if asked == path]

    async def _webhook(self, request: web.Request) -> web.Response:
        fields = {**request.query, **{name: str(value) for name, value in (await request.post()).items()}}
        self.requests.append((request.path, fields, dict(request.headers)))
        if request.path not in self.documents:
            raise web.HTTPNotFound
        text = self.documents[request.path]
        return web.Response(text=text, content_type=self.content_type, status=self.status)

    async def _media(self, request: web.Request) -> web.StreamResponse:
        if self.refuse_socket is not None:
            return web.Response(status=self.refuse_socket)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        talk = Talk(socket, ServerStream(), dict(request.headers))
        self.talks.append(talk)
        await self.agent(talk)
        return socket
