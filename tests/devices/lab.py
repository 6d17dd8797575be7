"""A client process: runs the functions that come by standard input, with this module as `lab`."""

import contextlib
import json
import sys
import threading
import traceback

from caproto.sync import client

from skysteer.devices import Counter, ScanMotor, connect


def connected(device):
    """Give the device back, connected."""
    connect([device], timeout=30)
    return device


def motor(axis="x", at=None, **options):
    """A connected motor that moves in no time, and stands `at` a place."""
    device = connected(ScanMotor(f"SIM:{axis}", name=axis, **options))
    device.velocity.set(1e6).wait()
    if at is not None:
        device.set(at).wait()
    return device


def counter(dwell=0.01, **options):
    """A connected counter."""
    device = connected(Counter("SIM:counter:", **options))
    device.dwell.set(dwell).wait(5)
    return device


def write(pv, value):
    """Put as another client does: on a circuit of its own, by other code."""
    client.write(pv, value, repeater=False)


def write_later(seconds, pv, value):
    """Put as another client does, in a while."""
    threading.Timer(seconds, write, args=(pv, value)).start()


def serve(tasks, answers):
    """Run each task (a line of JSON: source, name, arguments), and answer with a line."""
    for line in tasks:
        task, scope = json.loads(line), {}
        try:
            exec(compile(task["source"], task["name"], "exec"), scope)
            answer = {"result": scope[task["name"]](sys.modules[__name__], **task["arguments"])}
        except BaseException:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    answers = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        serve(sys.stdin, answers)
