"""Peers of a stand-in: it answers each connection and each datagram with its peer id, and dials what records announce."""

import base64
import ipaddress
import json
import socket
import threading
import time
from collections.abc import Callable

from node_keys import die


def in_background(work: Callable[[], object]) -> None:
    """Runs work beside everything else, until the process ends."""
    threading.Thread(target=work, daemon=True).start()


def own_address() -> str:
    """The address of the pod."""
    try:
        return socket.gethostbyname(socket.gethostname())
    except OSError:
        return "127.0.0.1"


def tcp_address(address: str, port: int) -> str:
    """An address as libp2p writes it."""
    return f"/ip{ipaddress.ip_address(address).version}/{address}/tcp/{port}"


def record_of(peer_id: str, addresses: list[str]) -> str:
    """A peer record; a real one is signed, and new on each start as well."""
    content = json.dumps({"id": peer_id, "addrs": addresses, "seq": time.time_ns()})
    return "spr:" + base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def addresses_in(record: str) -> list[str]:
    """The addresses in a record of a stand-in; none in one of a real node, which is of another form."""
    try:
        content = base64.urlsafe_b64decode(record.removeprefix("spr:") + "===")
        return [str(address) for address in json.loads(content)["addrs"]]
    except (ValueError, KeyError, TypeError):
        return []


def listen_for_peers(address: str, port: int, peer_id: str) -> int:
    """Answers TCP; gives the port, which the system chose where it was 0."""
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
    except OSError as error:
        die("Failed to start node", msg=f"{error.strerror} ({address}:{port})")
    listener.listen(64)

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            with connection:
                try:
                    connection.sendall(f"{peer_id}\n".encode())
                except OSError:
                    continue

    in_background(accept)
    chosen: int = listener.getsockname()[1]
    return chosen


def listen_for_discovery(port: int, peer_id: str) -> None:
    """Answers UDP."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        listener.bind(("0.0.0.0", port))
    except OSError as error:
        die("Failed to start discovery", msg=f"{error.strerror} (UDP {port})")

    def accept() -> None:
        while True:
            _, peer = listener.recvfrom(2048)
            listener.sendto(f"{peer_id}\n".encode(), peer)

    in_background(accept)


def dial_until_reached(records: list[str], reached: dict[str, str]) -> None:
    """Dials the addresses of records until each has answered; puts peer id and address into reached."""
    waiting = [address for record in records for address in addresses_in(record)]
    while waiting:
        for address in list(waiting):
            _, _, host, _, port = address.split("/")[:5]
            try:
                with socket.create_connection((host, int(port)), timeout=2) as connection, connection.makefile() as answer:
                    peer = answer.readline().strip()
            except OSError:
                continue
            if peer:
                reached[peer] = address
                waiting.remove(address)
        time.sleep(1)
