// The tables of ValidaHub, as Drizzle and Holdfast read them.
export { validahub } from './columns.ts';
export { erasureRequests, tenants } from './tenants.ts';
export { ruleSets, ruleVersions } from './rules.ts';
export { jobs, jobViolations } from './jobs.ts';
export { correctionLogs, correctionPatterns } from './corrections.ts';
export { suggestions } from './suggestions.ts';
export { auditLog, auditLogSeq } from './audit.ts';
export { mvRuleEffectiveness, ruleEffectivenessDaily, ruleEffectivenessDailyV } from './effectiveness.ts';
