// Functions, and what stands on them: aggregates, operators, casts, rules, triggers, policies.
import { IN_SCHEMA, ROUTINE, USER_SCHEMA, named, ownObject, role, type Part } from './names.ts';

const FUNCTIONS: Part = {
  of: 'functions',
  sql: `
  SELECT 'function ' || ${ROUTINE} AS subject, pg_catalog.pg_get_functiondef(p.oid) AS sql
  FROM pg_catalog.pg_proc p ${IN_SCHEMA('p.pronamespace')}
  WHERE p.prokind <> 'a' AND ${USER_SCHEMA} AND ${ownObject('pg_proc', 'p.oid')} ORDER BY p.oid`,
};

const optional = (word: string, procedure: string): string =>
  `CASE WHEN ${procedure} <> 0 THEN ', ${word} = ' || ${procedure}::pg_catalog.text END`;

const AGGREGATES: Part = {
  of: 'aggregates',
  sql: `
  SELECT 'aggregate ' || ${ROUTINE} AS subject,
         pg_catalog.format('CREATE AGGREGATE %I.%I(%s) (%s)', n.nspname, p.proname,
           CASE WHEN p.pronargs = 0 THEN '*' ELSE pg_catalog.pg_get_function_identity_arguments(p.oid) END,
           pg_catalog.concat('SFUNC = ', g.aggtransfn, ', STYPE = ', pg_catalog.format_type(g.aggtranstype, NULL),
             ', INITCOND = ' || pg_catalog.quote_literal(g.agginitval),
             ', MINITCOND = ' || pg_catalog.quote_literal(g.aggminitval),
             ${optional('FINALFUNC', 'g.aggfinalfn')}, ${optional('COMBINEFUNC', 'g.aggcombinefn')},
             ${optional('SERIALFUNC', 'g.aggserialfn')}, ${optional('DESERIALFUNC', 'g.aggdeserialfn')},
             ${optional('MSFUNC', 'g.aggmtransfn')}, ${optional('MINVFUNC', 'g.aggminvtransfn')},
             ${optional('MFINALFUNC', 'g.aggmfinalfn')},
             CASE WHEN g.aggmtranstype <> 0 THEN ', MSTYPE = ' || pg_catalog.format_type(g.aggmtranstype, NULL) END,
             CASE WHEN g.aggfinalextra THEN ', FINALFUNC_EXTRA' END,
             CASE WHEN g.aggsortop <> 0 THEN (SELECT pg_catalog.format(', SORTOP = OPERATOR(%I.%s)', xn.nspname, x.oprname)
               FROM pg_catalog.pg_operator x JOIN pg_catalog.pg_namespace xn ON xn.oid = x.oprnamespace WHERE x.oid = g.aggsortop) END,
             CASE p.proparallel WHEN 's' THEN ', PARALLEL = SAFE' WHEN 'r' THEN ', PARALLEL = RESTRICTED' END,
             CASE WHEN g.aggkind = 'h' THEN ', HYPOTHETICAL' END)) AS sql
  FROM pg_catalog.pg_proc p ${IN_SCHEMA('p.pronamespace')} JOIN pg_catalog.pg_aggregate g ON g.aggfnoid = p.oid
  WHERE ${USER_SCHEMA} AND ${ownObject('pg_proc', 'p.oid')} ORDER BY p.oid`,
};

const operatorOf = (word: string, oid: string): string => `(
    SELECT pg_catalog.format(', ${word} = OPERATOR(%I.%s)', xn.nspname, x.oprname) FROM pg_catalog.pg_operator x
    JOIN pg_catalog.pg_namespace xn ON xn.oid = x.oprnamespace WHERE x.oid = ${oid})`;

const OPERATORS: Part = {
  of: 'operators',
  sql: `
  SELECT pg_catalog.format('operator %I.%s', n.nspname, o.oprname) AS subject,
         pg_catalog.concat('CREATE OPERATOR ', pg_catalog.quote_ident(n.nspname), '.', o.oprname,
           ' (FUNCTION = ', o.oprcode, ', LEFTARG = ' || pg_catalog.format_type(NULLIF(o.oprleft, 0), NULL),
           ', RIGHTARG = ', pg_catalog.format_type(o.oprright, NULL),
           ${operatorOf('COMMUTATOR', 'o.oprcom')}, ${operatorOf('NEGATOR', 'o.oprnegate')},
           ${optional('RESTRICT', 'o.oprrest')}, ${optional('JOIN', 'o.oprjoin')},
           CASE WHEN o.oprcanhash THEN ', HASHES' END, CASE WHEN o.oprcanmerge THEN ', MERGES' END, ')') AS sql
  FROM pg_catalog.pg_operator o ${IN_SCHEMA('o.oprnamespace')}
  WHERE o.oprcode <> 0 AND ${USER_SCHEMA} AND ${ownObject('pg_operator', 'o.oid')} ORDER BY o.oid`,
};

const FAMILIES: Part = {
  of: 'operator families',
  sql: `
  SELECT 'operator family ' || ${named('f.opfname')} AS subject,
         pg_catalog.format('CREATE OPERATOR FAMILY %s USING %I', ${named('f.opfname')}, am.amname) AS sql
  FROM pg_catalog.pg_opfamily f ${IN_SCHEMA('f.opfnamespace')} JOIN pg_catalog.pg_am am ON am.oid = f.opfmethod
  WHERE ${USER_SCHEMA} AND ${ownObject('pg_opfamily', 'f.oid')} ORDER BY f.oid`,
};

const CLASSES: Part = {
  of: 'operator classes',
  sql: `
  SELECT 'operator class ' || ${named('o.opcname')} AS subject,
         pg_catalog.format('CREATE OPERATOR CLASS %s %s FOR TYPE %s USING %I FAMILY %I.%I AS %s', ${named('o.opcname')},
           CASE WHEN o.opcdefault THEN 'DEFAULT' END, pg_catalog.format_type(o.opcintype, NULL), am.amname, fn.nspname, f.opfname,
           pg_catalog.concat_ws(', ',
             CASE WHEN o.opckeytype <> 0 THEN 'STORAGE ' || pg_catalog.format_type(o.opckeytype, NULL) END,
             (SELECT pg_catalog.string_agg(pg_catalog.format('OPERATOR %s %s', a.amopstrategy,
                       a.amopopr::pg_catalog.regoperator), ', ' ORDER BY a.amopstrategy)
              FROM pg_catalog.pg_amop a WHERE a.amopfamily = f.oid AND a.amoplefttype = o.opcintype
                AND a.amoprighttype = o.opcintype AND a.amopsortfamily = 0),
             (SELECT pg_catalog.string_agg(pg_catalog.format('FUNCTION %s %s', a.amprocnum,
                       a.amproc::pg_catalog.oid::pg_catalog.regprocedure), ', ' ORDER BY a.amprocnum)
              FROM pg_catalog.pg_amproc a WHERE a.amprocfamily = f.oid AND a.amproclefttype = o.opcintype
                AND a.amprocrighttype = o.opcintype))) AS sql
  FROM pg_catalog.pg_opclass o ${IN_SCHEMA('o.opcnamespace')} JOIN pg_catalog.pg_am am ON am.oid = o.opcmethod
  JOIN pg_catalog.pg_opfamily f ON f.oid = o.opcfamily JOIN pg_catalog.pg_namespace fn ON fn.oid = f.opfnamespace
  WHERE ${USER_SCHEMA} AND ${ownObject('pg_opclass', 'o.oid')} ORDER BY o.oid`,
};

// Every object has an oid of 16384 and above unless initdb made it.
const CASTS: Part = {
  of: 'casts',
  sql: `
  SELECT pg_catalog.format('cast (%s AS %s)', pg_catalog.format_type(c.castsource, NULL), pg_catalog.format_type(c.casttarget, NULL)) AS subject,
         pg_catalog.format('CREATE CAST (%s AS %s) %s %s', pg_catalog.format_type(c.castsource, NULL),
           pg_catalog.format_type(c.casttarget, NULL),
           CASE c.castmethod WHEN 'f' THEN 'WITH FUNCTION ' || c.castfunc::pg_catalog.regprocedure::pg_catalog.text
                             WHEN 'i' THEN 'WITH INOUT' ELSE 'WITHOUT FUNCTION' END,
           CASE c.castcontext WHEN 'a' THEN 'AS ASSIGNMENT' WHEN 'i' THEN 'AS IMPLICIT' END) AS sql
  FROM pg_catalog.pg_cast c WHERE c.oid >= 16384 AND ${ownObject('pg_cast', 'c.oid')} ORDER BY c.oid`,
};

/** Before tables: their columns' expressions may call functions. One that needs a table waits for it. */
export const CODE_PARTS: readonly Part[] = [FUNCTIONS, AGGREGATES, OPERATORS, FAMILIES, CLASSES, CASTS];

const RELATION = `pg_catalog.pg_class c ${IN_SCHEMA('c.relnamespace')}`;

const RULES: Part = {
  of: 'rules',
  sql: `
  SELECT pg_catalog.format('rule %s on %s', r.rulename, ${named('c.relname')}) AS subject,
         pg_catalog.pg_get_ruledef(r.oid) || CASE WHEN r.ev_enabled <> 'O' THEN
           pg_catalog.format('; ALTER TABLE %s %s RULE %I', ${named('c.relname')},
             CASE r.ev_enabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END, r.rulename)
           ELSE '' END AS sql
  FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class ${IN_SCHEMA('c.relnamespace')}
  WHERE r.rulename <> '_RETURN' AND ${USER_SCHEMA} AND ${ownObject('pg_class', 'c.oid')} ORDER BY r.oid`,
};

const TRIGGERS: Part = {
  of: 'triggers',
  sql: `
  SELECT pg_catalog.format('trigger %s on %s', t.tgname, ${named('c.relname')}) AS subject,
         pg_catalog.pg_get_triggerdef(t.oid) AS sql
  FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid ${IN_SCHEMA('c.relnamespace')}
  WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND ${USER_SCHEMA} AND ${ownObject('pg_class', 'c.oid')} ORDER BY t.oid`,
};

const TRIGGER_STATES: Part = {
  of: 'states of triggers',
  sql: `
  SELECT pg_catalog.format('state of trigger %s on %s', t.tgname, ${named('c.relname')}) AS subject,
         pg_catalog.format('ALTER TABLE ONLY %s %s TRIGGER %I', ${named('c.relname')},
           CASE t.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END, t.tgname) AS sql
  FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid ${IN_SCHEMA('c.relnamespace')}
  WHERE NOT t.tgisinternal AND t.tgenabled <> 'O' AND ${USER_SCHEMA} AND ${ownObject('pg_class', 'c.oid')} ORDER BY t.oid`,
};

const POLICIES: Part = {
  of: 'policies',
  sql: `
  SELECT pg_catalog.format('policy %s on %s', q.polname, ${named('c.relname')}) AS subject, pg_catalog.concat_ws(' ',
    pg_catalog.format('CREATE POLICY %I ON %s', q.polname, ${named('c.relname')}),
    CASE WHEN q.polpermissive THEN 'AS PERMISSIVE' ELSE 'AS RESTRICTIVE' END,
    'FOR ' || CASE q.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
    'TO ' || (SELECT pg_catalog.string_agg(CASE WHEN r = 0 THEN 'PUBLIC' ELSE ${role('r')} END, ', ')
              FROM pg_catalog.unnest(q.polroles) r),
    'USING (' || pg_catalog.pg_get_expr(q.polqual, q.polrelid) || ')',
    'WITH CHECK (' || pg_catalog.pg_get_expr(q.polwithcheck, q.polrelid) || ')') AS sql
  FROM pg_catalog.pg_policy q JOIN pg_catalog.pg_class c ON c.oid = q.polrelid ${IN_SCHEMA('c.relnamespace')}
  WHERE ${USER_SCHEMA} AND ${ownObject('pg_class', 'c.oid')} ORDER BY q.oid`,
};

const ROW_SECURITY: Part = {
  of: 'row security',
  sql: `
  SELECT 'row security of ' || ${named('c.relname')} AS subject,
         pg_catalog.format('ALTER TABLE %s %s ROW LEVEL SECURITY, %s ROW LEVEL SECURITY', ${named('c.relname')},
           CASE WHEN c.relrowsecurity THEN 'ENABLE' ELSE 'DISABLE' END,
           CASE WHEN c.relforcerowsecurity THEN 'FORCE' ELSE 'NO FORCE' END) AS sql
  FROM ${RELATION}
  WHERE c.relkind IN ('r', 'p') AND (c.relrowsecurity OR c.relforcerowsecurity)
    AND ${USER_SCHEMA} AND ${ownObject('pg_class', 'c.oid')} ORDER BY c.oid`,
};

/** What acts on relations. */
export const ACTING_PARTS: readonly Part[] = [RULES, TRIGGERS, TRIGGER_STATES, POLICIES, ROW_SECURITY];

const EVENT_TRIGGERS: Part = {
  of: 'event triggers',
  sql: `
  SELECT 'event trigger ' || e.evtname AS subject,
         pg_catalog.concat(pg_catalog.format('CREATE EVENT TRIGGER %I ON %s', e.evtname, e.evtevent),
           ' WHEN TAG IN (' || (SELECT pg_catalog.string_agg(pg_catalog.quote_literal(t), ', ') FROM pg_catalog.unnest(e.evttags) t) || ')',
           ' EXECUTE FUNCTION ', e.evtfoid::pg_catalog.regproc, '()',
           CASE WHEN e.evtenabled <> 'O' THEN pg_catalog.format('; ALTER EVENT TRIGGER %I %s', e.evtname,
             CASE e.evtenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END) END,
           '') AS sql
  FROM pg_catalog.pg_event_trigger e WHERE ${ownObject('pg_event_trigger', 'e.oid')} ORDER BY e.oid`,
};

const EVENT_TRIGGER_OWNERS: Part = {
  of: 'owners of event triggers',
  sql: `
  SELECT 'owner of event trigger ' || e.evtname AS subject,
         pg_catalog.format('ALTER EVENT TRIGGER %I OWNER TO %s', e.evtname, ${role('e.evtowner')}) AS sql
  FROM pg_catalog.pg_event_trigger e WHERE ${ownObject('pg_event_trigger', 'e.oid')} ORDER BY e.oid`,
};

/** Last of all: from here on DDL would fire them. */
export const EVENT_PARTS: readonly Part[] = [EVENT_TRIGGERS, EVENT_TRIGGER_OWNERS];
