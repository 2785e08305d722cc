/**
 * Which masks are kept up for tuples of an arity [2]: a cell each, read anew by every step that stands on them. What is
 * remembered between two reads are keys that need not be encoded, and what the cells said, for as long as they say the same.
 */
import type { Range } from "@weft/domain/core/Commit"
import type { Key } from "@weft/domain/core/Key"
import { encodePart } from "@weft/domain/core/KeyCodec"
import * as KeyDecode from "@weft/domain/core/KeyDecode"
import type { Value } from "@weft/domain/core/Value"
import type { Item, TxView } from "@weft/domain/internal/TxView"
import { readyValue } from "@weft/domain/TupleCells"
import { rangeOf, type SpaceKeys } from "./SpaceKeys.ts"

/** Arities that are remembered; one more forgets all. */
const aritiesMax = 64

/** Masks that are kept up for an arity, as a transaction read them. */
export interface Kept {
  /** Mask 0, which needs no cell, first. */
  readonly masks: ReadonlyArray<number>
  /** Keys of the cells of the others, in their order. */
  readonly cells: ReadonlyArray<Key>
  /** Whether each of the others is ready. */
  readonly ready: ReadonlyArray<boolean>
}

interface Arity {
  readonly range: Range
  kept: Kept
}

export class MaskRegistry {
  readonly #masks: Key
  readonly #arities = new Map<number, Arity>()

  constructor({ masks }: SpaceKeys) {
    this.#masks = masks
  }

  /** Where the cells of an arity stand. */
  range(arity: number): Range {
    return this.#arity(arity).range
  }

  cell(arity: number, mask: number): Key {
    return this.#arity(arity).range.start + encodePart(mask)
  }

  /** Reads the masks of an arity. */
  read(tx: TxView, arity: number): Kept {
    const known = this.#arity(arity)
    const items = tx.range(known.range)
    if (!isSame(known.kept, items)) known.kept = keptOf(items, this.#masks)
    return known.kept
  }

  #arity(arity: number): Arity {
    let known = this.#arities.get(arity)
    if (known === undefined) {
      known = { range: rangeOf(this.#masks + encodePart(arity)), kept: noneKept }
      if (this.#arities.size >= aritiesMax) this.#arities.clear()
      this.#arities.set(arity, known)
    }
    return known
  }
}

export const isReadyValue = (value: Value): boolean => value.size === readyValue.size

/** Whether a mask may be looked at. */
export const isReadyIn = ({ masks, ready }: Kept, mask: number): boolean =>
  mask === 0 || ready[masks.indexOf(mask) - 1] === true

const noneKept: Kept = { masks: [0], cells: [], ready: [] }

const isSame = ({ cells, ready }: Kept, items: ReadonlyArray<Item>): boolean => {
  if (items.length !== cells.length) return false
  for (let i = 0; i < items.length; i++) {
    if (items[i]!.key !== cells[i] || isReadyValue(items[i]!.value) !== ready[i]) return false
  }
  return true
}

const keptOf = (items: ReadonlyArray<Item>, masks: Key): Kept => ({
  masks: [0, ...items.map(({ key }) => maskOf(key, masks))],
  cells: items.map(({ key }) => key),
  ready: items.map(({ value }) => isReadyValue(value))
})

const maskOf = (key: Key, masks: Key): number => {
  const { next } = KeyDecode.decodePart(key, masks.length)
  return KeyDecode.decodePart(key, next).part as number
}
