"""A Channel Access server that is prompt, ordered and heard on this machine only.

caproto's own server (1.3) holds monitors back for 10 ms or more, sends put-completions past them,
and leaves TCP_NODELAY off: a move takes 46 ms, and a client that waits for completion often reads
the value of the point before.  Here each monitor is written at once, in the order of posting, and
a completion can only follow.
"""

from __future__ import annotations

import asyncio
import functools
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NoReturn, cast

from caproto.asyncio.server import Context, VirtualCircuit
from caproto.asyncio.utils import _DatagramProtocol, _UdpTransportWrapper

LOOPBACK = "127.0.0.1"
# A client that has stopped reading is cut off at this many bytes; Channel Access reconnects it.
BACKLOG = 4 << 20


class _Straight:
    """Stands where caproto has a queue, and passes on at once what is put."""

    def __init__(self, deliver: Callable[[Any], Awaitable[None]]) -> None:
        self._deliver = deliver

    async def put(self, item: Any) -> None:
        await self._deliver(item)


class PromptCircuit(VirtualCircuit):
    """One client's connection: what is sent leaves in the same turn of the loop, in order."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.subscription_queue = cast(Any, _Straight(self._send_monitor))
        self._unsent: list[Any] = []

    async def _send_monitor(self, reference: Callable[[], Any]) -> None:
        await self.send(reference())
        self.unexpired_updates.clear()  # sent: no reason to keep them

    async def send(self, *commands: Any) -> None:
        """Queue for this turn of the loop; never wait, so that nobody can come in between."""
        if not self.connected:
            return
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._flush)
        self._unsent += self.circuit.send(*commands)

    def _flush(self) -> None:
        transport = cast(Any, self.client).writer.transport
        if not transport.is_closing():
            transport.write(b"".join(self._unsent))
            if transport.get_write_buffer_size() > BACKLOG:
                transport.abort()
        self._unsent.clear()

    async def subscription_queue_loop(self) -> None:
        """Nothing queues."""
        self.events_on.set()

    async def _start_write_task(self, handle_write: Callable[[], Any]) -> None:
        # The write begins before the next command of this client is looked at: a read that
        # follows sees it, and need not wait for a move to end.
        self.tasks.create(handle_write())
        await asyncio.sleep(0)
        self.write_event.set()


def bind_loopback(port: int = 0) -> tuple[socket.socket, socket.socket]:
    """Bind a UDP (search) and a TCP (data) socket to one number, for this process alone.

    Parameters
    ----------
    port : int
        The number; 0 lets the kernel choose.

    Raises
    ------
    OSError
        When the port is taken.
    """
    for attempt in range(32):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        # asyncio sets TCP_NODELAY only on sockets that say IPPROTO_TCP
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # come back on the same port
        try:
            udp.bind((LOOPBACK, port))
            tcp.bind((LOOPBACK, udp.getsockname()[1]))
        except OSError as error:
            udp.close()
            tcp.close()
            if port or attempt == 31:
                raise OSError(f"port {port} is taken: choose another, or 0 for any") from error
        else:
            udp.setblocking(False)
            tcp.setblocking(False)
            return udp, tcp
    raise AssertionError("unreachable")


class LoopbackContext(Context):
    """Serves PVs on 127.0.0.1, without beacons.

    Parameters
    ----------
    pvdb : mapping of str to ChannelData
        The PVs by name.
    sockets : (socket, socket)
        From `bind_loopback`.
    """

    CircuitClass = PromptCircuit

    def __init__(
        self, pvdb: Mapping[str, Any], sockets: tuple[socket.socket, socket.socket]
    ) -> None:
        super().__init__(pvdb, [LOOPBACK])
        self._udp, self._tcp = sockets
        self.subscription_queue = cast(Any, _Straight(self._post))
        self.listening = asyncio.Event()

    async def _post(self, update: tuple[Any, ...]) -> None:
        await self._subscription_queue_iteration(*update)

    async def subscription_queue_loop(self) -> NoReturn:
        """Nothing queues."""
        await _forever()

    async def broadcast_beacon_loop(self) -> NoReturn:
        """Stay silent: no other machine, and no other test, shall hear of this server."""
        self.listening.set()  # the last task that run() starts
        await _forever()

    async def _bind_tcp_sockets_with_consistent_port_number(
        self, make_socket: object
    ) -> tuple[int, dict[str, socket.socket]]:
        return self._tcp.getsockname()[1], {LOOPBACK: self._tcp}

    async def _create_broadcaster_transport(self, interface: str) -> None:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            functools.partial(
                _DatagramProtocol,
                parent=self,
                identifier=interface,
                queue=self.broadcaster_datagram_queue,
            ),
            sock=self._udp,
        )
        self.udp_socks[interface] = _UdpTransportWrapper(transport)


async def _forever() -> NoReturn:
    await asyncio.Event().wait()
    raise AssertionError("unreachable")
