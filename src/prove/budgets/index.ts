// Budgets: what a database must do in which time and at which size, measured on a real server.
export {
  proveBudgets,
  type BudgetsOptions,
  type Measured,
  type MeasuredFigure,
  type MeasuredTime,
} from './budgets.ts';
export { brokenPlans, budgetsEvidence } from './evidence.ts';
export { budgetServerSettings } from './ground.ts';
