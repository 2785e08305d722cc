/** Keys in memory: latin1 strings, one character a byte, whose order is the order of the tuples they encode. Pure. */

/** An encoded tuple; compares, hashes and prints as a plain string (docs/KEYS.md). */
export type Key = string
