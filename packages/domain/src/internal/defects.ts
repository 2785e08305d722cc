/**
 * Defects: uses that no program should make and no handler should expect. Each names what was used wrongly.
 */

/** A transaction was used after its end: by a fiber forked inside of it that outlived it. Nothing was read or written. */
export class TransactionEnded extends Error {
  readonly _tag = "TransactionEnded"
  constructor(label: string | undefined) {
    super(
      `The transaction ${label === undefined ? "(no label)" : `"${label}"`} has ended, but something it started still uses it. ` +
        `Await or interrupt what a body forks before the body ends.`
    )
    this.name = "TransactionEnded"
  }
}

/**
 * A body asked to wait for a change of what it read (`Tx.retry`, `Tx.check`) and had read nothing of the store: no commit
 * would ever have woken it. Nothing was written.
 */
export class NothingToWaitFor extends Error {
  readonly _tag = "NothingToWaitFor"
  constructor(label: string | undefined) {
    super(
      `The transaction ${label === undefined ? "(no label)" : `"${label}"`} asked to wait until something it read changes, ` +
        `but it has read nothing from its store, so it would wait for ever. Read what the condition depends on inside of ` +
        `the transaction, from a collection of its store (a Ref or a variable cannot wake it).`
    )
    this.name = "NothingToWaitFor"
  }
}

/** A collection of another store was used inside a transaction. Nothing was read or written there. */
export class NamespaceMismatch extends Error {
  readonly _tag = "NamespaceMismatch"
  constructor(label: string, store: string) {
    super(
      `"${label}" belongs to another store ("${store}" as provided here) than the transaction it stands in. ` +
        `A transaction has one store: move the operation out of it, or provide the same store to both.`
    )
    this.name = "NamespaceMismatch"
  }
}
