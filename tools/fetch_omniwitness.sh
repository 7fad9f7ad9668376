#!/bin/sh
# fetch_omniwitness.sh: print the path of transparency-dev's omniwitness, a witness that nobody here wrote, for the test
# with it, built in .cache/omniwitness.
#
#   WATTPACT_OMNIWITNESS  an omniwitness to use instead: then nothing is built
exec "$(dirname "$0")/go_program.sh" omniwitness
