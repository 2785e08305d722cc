/** Clusters of 5 nodes with all faults; thousands of seeds by `npm run simulate`. */
import { simulationSuite } from "../testing/sim/suite.ts"

simulationSuite("simulation of 5 nodes", { from: 2001, seeds: 90, overrides: { nodes: 5 } })
