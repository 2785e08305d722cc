/** How the cells of a tuple space are written down: stamps as versions, everything else as text. */
import type { Cell } from "@weft/domain/core/Commit"
import type { Key } from "@weft/domain/core/Key"
import { stampLength, typeBytes } from "@weft/domain/core/KeyCodec"
import { decodePart } from "@weft/domain/core/KeyDecode"
import * as SessionCells from "@weft/domain/core/SessionCells"
import type { Version } from "@weft/domain/core/Version"
import { stampOf } from "../../src/internal/SpaceKeys.ts"
import type { SpaceCells } from "../../src/internal/SpaceCells.ts"

/** The version of a stamp. */
export const orderOf = (stamp: Key): Version => (decodePart(stamp, 0).part as { readonly version: Version }).version

const remembered = new WeakMap<Cell, ReadonlyArray<string | Version>>()

export const wordsOf = (cells: SpaceCells<any>, key: Key, cell: Cell): ReadonlyArray<string | Version> => {
  let words = remembered.get(cell)
  if (words === undefined) remembered.set(cell, (words = describe(cells, key, cell)))
  return words
}

const describe = ({ keys }: SpaceCells<any>, key: Key, { value }: Cell): ReadonlyArray<string | Version> => {
  const text = String.fromCharCode(...value.bytes)
  if (key.startsWith(SessionCells.prefixes.will)) return [...keyOf(key), ...ofWill(SessionCells.willOf(value))]
  const isStamped = [keys.tuples, keys.entries, keys.tickets, keys.inFlight, keys.dead].some((at) => key.startsWith(at))
  return isStamped ? [...keyOf(key), text] : [key, text]
}

/** A key with its stamp, if it ends with one, as a version. */
export const keyOf = (key: Key): ReadonlyArray<string | Version> => {
  const stamp = stampOf(key)
  return stamp.charCodeAt(0) === typeBytes.stamp ? [key.slice(0, -stampLength), orderOf(stamp)] : [key]
}

const ofWill = (will: SessionCells.Will): ReadonlyArray<string | Version> => {
  if (will.kind !== "restore") return [JSON.stringify(will)]
  // Its keys all end with the tuple's stamp.
  const { index, ready, ...rest } = will
  const keys = [...index, ready].map((key) => key.slice(0, -stampLength))
  const words = JSON.stringify({ ...rest, inFlight: "", dead: "", keys })
  return [words, orderOf(stampOf(ready))]
}
