#!/usr/bin/python3
"""Writes a C file that holds files as byte arrays.

usage: embed.py OUT.c SYMBOL FILE...

The C file defines, for the files in the order given:
  const char *const SYMBOL_names[];            their names without folders
  const unsigned char *const SYMBOL_data[];    their bytes, with a NUL behind them
  const unsigned long SYMBOL_bytes[];          how many, the NUL not counted
  const unsigned long SYMBOL_count;
"""

import os
import sys

A_LINE = 16


def array(name, data):
	yield f"static const unsigned char {name}[] = {{\n"
	data += b"\0"
	for at in range(0, len(data), A_LINE):
		yield "\t" + " ".join(f"{b}," for b in data[at : at + A_LINE]) + "\n"
	yield "};\n\n"


def table(kind, symbol, values):
	# Declared first: the user's own declaration is all that other files see of it.
	yield f"extern {kind} {symbol}[];\n{kind} {symbol}[] = {{\n"
	for value in values:
		yield f"\t{value},\n"
	yield "};\n\n"


def text_of(symbol, paths):
	sizes = []
	for i, path in enumerate(paths):
		with open(path, "rb") as f:
			data = f.read()
		sizes.append(f"{len(data)}ul")
		yield from array(f"{symbol}_file_{i}", data)
	names = ['"' + os.path.basename(p).replace("\\", "\\\\").replace('"', '\\"') + '"' for p in paths]
	yield from table("const char *const", f"{symbol}_names", names)
	yield from table("const unsigned char *const", f"{symbol}_data",
		[f"{symbol}_file_{i}" for i in range(len(paths))])
	yield from table("const unsigned long", f"{symbol}_bytes", sizes)
	yield f"extern const unsigned long {symbol}_count;\nconst unsigned long {symbol}_count = {len(paths)}ul;\n"


def main(argv):
	if len(argv) < 4:
		sys.exit(__doc__)
	out, symbol, paths = argv[1], argv[2], argv[3:]
	text = "/* Made by tools/embed.py; changes are lost. */\n\n" + "".join(text_of(symbol, paths))
	with open(out, "w", encoding="utf-8") as f:
		f.write(text)


if __name__ == "__main__":
	main(sys.argv)
