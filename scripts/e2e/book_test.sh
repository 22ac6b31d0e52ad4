#!/usr/bin/env bash
# What the pages of docs/ show is so: links lead somewhere, files are accepted, commands print what is shown.
. "$(dirname "$0")/_init.sh"

"$TARGET/release/ulvs-xtask" book links
"$TARGET/release/ulvs-xtask" book run
if command -v mdbook >/dev/null; then
    "$TARGET/release/ulvs-xtask" book build >/dev/null
fi
