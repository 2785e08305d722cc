/**
 * The service that exists only inside a transaction. What needs it (`Tx.retry`, `Tx.check`, `Tx.orElse`, `Tx.onCommit`,
 * `Tx.attempt`) compiles only there. A transaction's handle that outlives it, by a forked fiber, is the named defect
 * `TransactionEnded`.
 */
import * as Context from "effect/Context"

/** What a running transaction puts into the context of its body: nothing to look at, only to be there. */
export interface TransactionHandle {
  /** The label given to `transactWith` or `Tx.fn`. */
  readonly label: string | undefined
}

/** The running transaction. */
export class Transaction extends Context.Service<Transaction, TransactionHandle>()("@weft/domain/Tx/Transaction") {}
