/** The exported test kit of `@weft/raft`: bring your own log storage, history or cluster. */
export * as Linearizability from "./Linearizability.ts"
export { runScenario } from "./Scenario.ts"
