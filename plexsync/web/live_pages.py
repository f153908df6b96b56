"""The line over which an open page learns of changes of its Plex server's database."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from plexsync.web.pages import entry_of


async def listen(request: Request) -> Response:
    """The event stream of an open page."""
    live = entry_of(request).live
    if live.full:
        return PlainTextResponse("too many pages are open\n", 503, {"Retry-After": "30"})
    headers = {"X-Accel-Buffering": "no"}
    if request.method == "HEAD":
        return Response(media_type="text/event-stream", headers=headers)
    return StreamingResponse(live.lines(), media_type="text/event-stream", headers=headers)


routes = [Route("/live", listen, methods=["GET"])]
