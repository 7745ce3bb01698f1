"""How the scripts beside this one are told of the gateways, and tell what they have seen."""

import json
import os


def gateways():
    """`token`, and the addresses `plain`, `endless` and `broken` (how it breaks off -> address)."""
    return json.loads(os.environ["GATEWAYS"])


def reason(act):
    """The error that it raises: its class, HTTP status and words."""
    try:
        act()
    except Exception as error:
        status = getattr(error, "status_code", None)
        return {"error": type(error).__name__, "status": status, "message": str(error)}
    return None


def broken(addresses, streamed):
    """For each way to break off: how many pieces came, and the error."""
    found = {}
    for how, url in addresses.items():
        pieces = []

        def read():
            for piece in streamed(url):
                if piece:
                    pieces.append(piece)

        raised = reason(read)
        found[how] = {"pieces": len(pieces), "raised": raised}
    return found


def show(**seen):
    print(json.dumps(seen))
