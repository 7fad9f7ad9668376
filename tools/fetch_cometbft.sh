#!/bin/sh
# fetch_cometbft.sh: print the path of CometBFT, which orders a ledger that several hosts keep, built in .cache/cometbft.
#
#   WATTPACT_COMETBFT  a cometbft to use instead: then nothing is built
exec "$(dirname "$0")/go_program.sh" cometbft
