/** Clusters of 7 nodes with all faults; thousands of seeds by `npm run simulate`. */
import { simulationSuite } from "../testing/sim/suite.ts"

simulationSuite("simulation of 7 nodes", { from: 3001, seeds: 60, overrides: { nodes: 7 } })
