"""The command line: `wattpact GROUP COMMAND`. Each group is a module of this package, imported when it is used.

What always holds: nonsense is answered by one line on stderr and a status that is not 0, never by a traceback unless
--debug is given. docs/reference/cli.md is written from the help texts.
"""

from wattpact.cli.frame import Root

# Name of the command -> module whose `command` it is. A module that an installation lacks is not offered.
MODULES = {
    "demo": "wattpact.cli.demo",
    "keys": "wattpact.cli.keys",
    "node": "wattpact.cli.node",
    "community": "wattpact.cli.community",
    "access": "wattpact.cli.access",
    "meter": "wattpact.cli.meter",
    "contract": "wattpact.cli.contract",
    "replay": "wattpact.cli.replay",
    "ledger": "wattpact.cli.ledger",
    "quorum": "wattpact.cli.quorum",
    "bill": "wattpact.cli.bill",
    "disclose": "wattpact.cli.disclose",
    "audit": "wattpact.cli.audit",
}

main = Root(MODULES)
