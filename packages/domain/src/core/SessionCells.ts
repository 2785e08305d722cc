/**
 * Where sessions live, and what hangs on them. Pure.
 *
 * | cell | key | who touches it |
 * |---|---|---|
 * | exists | `(null, "session", false, sid)` | written once, deleted by close or removal; in the read set of every request made under the session |
 * | bump | `(null, "session", true, sid)` | written each quarter of a lease; read by nobody but the observers and the removal |
 * | will | `(null, "session", null, sid, ...)` | what to do when the session has ended: one per thing that hangs on it |
 *
 * Two cells, because one cell in every request's read set would make each bump a conflict.
 */
import type { Key } from "./Key.ts"
import { encode, encodePart } from "./KeyCodec.ts"
import { decodePart } from "./KeyDecode.ts"
import type { NodeMode } from "./LockRules.ts"
import { fromCounter, toCounter, Value } from "./Value.ts"
import { codecBytes, decodeString, encodeString, headerBytes, isAscii } from "./ValueCodec.ts"

/** Prefixes of the three kinds of cells. */
export const prefixes = {
  exists: encode([null, "session", false]),
  bump: encode([null, "session", true]),
  will: encode([null, "session", null])
} as const

export const existsKey = (sid: string): Key => prefixes.exists + encodePart(sid)
export const bumpKey = (sid: string): Key => prefixes.bump + encodePart(sid)
/** All wills of a session begin so. */
export const willPrefix = (sid: string): Key => prefixes.will + encodePart(sid)

/** The session that a bump or a will belongs to. */
export const sidOf = (key: Key, prefix: Key): string => decodePart(key, prefix.length).part as string

export const bumpValue = (count: number): Value => fromCounter(count)
export const bumpOf = (value: Value): number => toCounter(value) ?? -1

/**
 * What becomes of an item in flight when its session ends: back to where it was, in its old place, or, once it was
 * delivered `deliveriesMax` times, to the dead letters.
 */
export interface GiveBack {
  readonly kind: "giveBack"
  readonly inFlight: Key
  readonly ready: Key
  readonly dead: Key
  readonly deliveriesMax: number
  readonly size: Key
}

/** What to delete when the session ends. */
export interface Remove {
  readonly kind: "remove"
  readonly keys: ReadonlyArray<Key>
}

/** A request for locks: its tickets go when the session ends. The stamp is that of the will's key. */
export interface Unlock {
  readonly kind: "unlock"
  readonly tree: Key
  /** Nodes and modes, ancestors first. */
  readonly nodes: ReadonlyArray<NodeMode>
  /** Stamps of requests that the same flow held when it asked. */
  readonly holding: ReadonlyArray<Key>
  /** For people. */
  readonly owner: string
  /** Names the request before its stamp is known. */
  readonly nonce: string
  /** Stamp of the request whose upgrade this is. */
  readonly upgrades?: Key | undefined
}

/** A waiting taker of a tuple space: its ticket goes when the session ends. The stamp is that of the will's key. */
export interface Ticket {
  readonly kind: "ticket"
  /** The ticket's key before its stamp. */
  readonly prefix: Key
  /** Names the request before its stamp is known. */
  readonly nonce: string
}

/**
 * A tuple that was handed to a taker: when its session ends it is put back in its old place with its index entries, or,
 * once it came back `returnsMax` times, among the dead letters.
 */
export interface Restore {
  readonly kind: "restore"
  readonly nonce: string
  readonly inFlight: Key
  readonly ready: Key
  readonly dead: Key
  /** Index entries, and the masks they are for: masks registered meanwhile must be built again. */
  readonly index: ReadonlyArray<Key>
  readonly masks: ReadonlyArray<Key>
  /** All masks of the tuple's arity begin so. */
  readonly registry: Key
  readonly returnsMax: number
}

export type Will = GiveBack | Remove | Unlock | Ticket | Restore

/** A will as a value: its bytes are made when somebody asks for them, and it is not read from them again. */
class WillValue extends Value {
  private readonly text: string
  private made: Uint8Array | undefined

  constructor(will: Will, text: string) {
    super(undefined, willTag, 0, 0)
    this.decoded = will
    this.text = text
  }

  override get bytes(): Uint8Array {
    return (this.made ??= encodeString(this.text, 0, codecBytes.json))
  }

  override get size(): number {
    return headerBytes + this.text.length
  }
}

const willTag: object = Object.freeze({ codec: "will" })

/** A will is changed by nobody from here on. */
export const willValue = (will: Will): Value => {
  const text = will.kind === "unlock" ? unlockText(will) : JSON.stringify(will)
  // A character of ASCII is one byte, so that the size is known before there are bytes.
  return isAscii(text) ? new WillValue(will, text) : new Value(encodeString(text, 0, codecBytes.json), willTag, will)
}

/** As `JSON.stringify`, which has written these nodes before if they are those of a lock that is used again and again. */
const unlockText = ({ holding, nodes, nonce, owner, tree, upgrades }: Unlock): string => {
  let listed = nodeTexts.get(nodes)
  if (listed === undefined) nodeTexts.set(nodes, (listed = JSON.stringify(nodes)))
  const held = holding.length === 0 ? "[]" : JSON.stringify(holding)
  const upgrading = upgrades === undefined ? "" : `,"upgrades":${JSON.stringify(upgrades)}`
  return `{"kind":"unlock","tree":${JSON.stringify(tree)},"nodes":${listed},"holding":${held},"owner":${JSON.stringify(owner)},"nonce":${JSON.stringify(nonce)}${upgrading}}`
}

const nodeTexts = new WeakMap<ReadonlyArray<NodeMode>, string>()

/** Throws `RangeError` or `SyntaxError` for bytes that are no will. */
export const willOf = (value: Value): Will =>
  value.codec === willTag ? (value.decoded as Will) : (JSON.parse(decodeString(value.bytes, codecBytes.json)) as Will)
