// A database's structure as DDL, printed by the database itself.
export { readStructure, type Reading, type Statement } from './read.ts';
export { build } from './build.ts';
export { OUTWARD } from './names.ts';
