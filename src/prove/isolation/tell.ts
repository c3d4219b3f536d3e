// What a catalogue shows beside the attacks: rights and roles that open a way one day, and the server's own leaks.
import { label } from '../../define/model.ts';
import { settingsRead } from '../boundary/index.ts';
import { DATABASE } from './attacks/standing.ts';
import type { Told } from './result.ts';
import { settingNames, type Stage } from './stage.ts';

/** Says what no attempt shows. Reads the copy's catalogue. */
export async function tellStanding(stage: Stage): Promise<void> {
  const roles = stage.crews.map((crew) => crew.role);
  const say = (told: Told): void => stage.board.say(told);
  for (const told of await rolesPast(stage, roles)) say(told);
  for (const told of await openRights(stage, roles)) say(told);
  for (const told of ownersThatSee(stage, roles)) say(told);
  for (const told of await otherSettings(stage)) say(told);
  for (const told of await defaultedSettings(stage)) say(told);
  notifying(stage);
  falselyLeakproof(stage);
  say({
    subject: settingNames(stage.boundaries).toSorted().join(', '),
    severity: 'info',
    what: 'a session may set it to any value: it guards against mistakes of the application, not against SQL that an attacker sends.',
    fix: 'Send every value as a parameter; give whoever runs SQL of their own a role and a database of their own.',
  });
  leakingServer(stage);
}

interface RoleRow {
  readonly name: string;
  readonly super: boolean;
  readonly bypass: boolean;
  readonly replication: boolean;
  readonly makesRoles: boolean;
  readonly powers: readonly string[];
}

const ROLES_SQL = `
  SELECT r.rolname::pg_catalog.text AS name, r.rolsuper AS super, r.rolbypassrls AS bypass, r.rolreplication AS replication,
    r.rolcreaterole AS "makesRoles",
    ARRAY(SELECT p.rolname::pg_catalog.text FROM pg_catalog.pg_roles p
          WHERE p.rolname IN ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files')
            AND pg_catalog.pg_has_role(r.oid, p.oid, 'MEMBER') AND NOT r.rolsuper ORDER BY 1) AS powers
  FROM pg_catalog.pg_roles r WHERE r.rolname = ANY ($1)`;

async function rolesPast(stage: Stage, roles: readonly string[]): Promise<Told[]> {
  const rows = await stage.copy.query<RoleRow>(ROLES_SQL, [roles]);
  return rows.flatMap((role) => {
    const found: [boolean, string, string][] = [
      [role.super, 'is a superuser: nothing holds it back', 'NOSUPERUSER'],
      [role.bypass && !role.super, 'has BYPASSRLS: no policy is asked', 'NOBYPASSRLS'],
      [
        role.replication && !role.super,
        'may replicate, and so read every change of every owner',
        'NOREPLICATION',
      ],
      [
        role.makesRoles && !role.super,
        stage.copy.versionNumber < 160_000
          ? 'may make roles and, before PostgreSQL 16, members of any role but superusers'
          : 'may make roles',
        'NOCREATEROLE',
      ],
    ];
    const told = found
      .filter(([is]) => is)
      .map(([, what, word]) => ({
        subject: `role ${role.name}`,
        severity: 'error' as const,
        what: `it ${what}.`,
        fix: `ALTER ROLE ${role.name} ${word}`,
      }));
    const powers = role.powers.map((power) => ({
      subject: `role ${role.name}`,
      severity: 'error' as const,
      what: `it is a member of ${power}, and so reaches the server's files past every right.`,
      fix: `REVOKE ${power} FROM ${role.name}`,
    }));
    return [...told, ...powers];
  });
}

const OPEN_SQL = `
  SELECT n.nspname::pg_catalog.text AS schema, c.relname::pg_catalog.text AS name, e.privilege_type AS "right",
         CASE WHEN e.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.pg_get_userbyid(e.grantee)::pg_catalog.text END AS grantee
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) e
  WHERE c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'holdfast')
    AND (e.grantee = 0 OR e.privilege_type IN ('TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN')
         AND e.grantee <> c.relowner AND EXISTS (SELECT FROM pg_catalog.pg_roles r
           WHERE r.rolname = ANY ($1) AND pg_catalog.pg_has_role(r.oid, e.grantee, 'MEMBER')))
  ORDER BY 1, 2, 3`;

const EFFECTS: Readonly<Record<string, string>> = {
  TRUNCATE: 'it empties the table for every owner; no policy is asked',
  REFERENCES: 'a foreign key of its own tells which keys are there, and keeps others from deleting',
  TRIGGER: 'a trigger of its own would run in every owner’s session and see its rows',
  MAINTAIN: 'it may lock the table against everybody',
};

async function openRights(stage: Stage, roles: readonly string[]): Promise<Told[]> {
  const rows = await stage.copy.query<{ schema: string; name: string; right: string; grantee: string }>(
    OPEN_SQL,
    [roles],
  );
  const somebodys = new Set(
    stage.targets
      .filter((target) =>
        [target, ...stage.targets.filter((one) => target.bases.includes(one.oid))].some(
          (one) => stage.witness.others(one.root, undefined).length > 0,
        ),
      )
      .map(label),
  );
  return rows
    .filter((row) => somebodys.has(label(row)))
    .map((row) => ({
      subject: label(row),
      severity: 'warning' as const,
      what:
        row.grantee === 'PUBLIC'
          ? `${row.right} is granted to PUBLIC: to every role there is and every one that will be.`
          : `${row.right} is granted to ${row.grantee}: ${EFFECTS[row.right] ?? ''}.`,
      fix: `REVOKE ${row.right} ON ${row.schema}.${row.name} FROM ${row.grantee}`,
    }));
}

/** Owners are not filtered where row security is not forced; owners may turn it off. */
function ownersThatSee(stage: Stage, roles: readonly string[]): Told[] {
  return stage.targets
    .filter(
      (target) => ['r', 'p'].includes(target.kind) && stage.witness.others(target.root, undefined).length > 0,
    )
    .flatMap((target): Told[] => {
      if (roles.includes(target.owner)) {
        return [
          {
            subject: label(target),
            severity: 'warning' as const,
            what: `an application works as its owner ${target.owner}, who may drop its policies.`,
            fix: 'Let a role without login own the tables, and the application log in as another.',
          },
        ];
      }
      if (!target.rowSecurity || target.forced) return [];
      return [
        {
          subject: label(target),
          severity: 'info' as const,
          what: `row security is not forced: its owner ${target.owner}, and every function that runs as it, sees every row.`,
          fix: `ALTER TABLE ${target.schema}.${target.name} FORCE ROW LEVEL SECURITY`,
        },
      ];
    });
}

/** Policies that another setting opens. */
async function otherSettings(stage: Stage): Promise<Told[]> {
  const known = new Set(settingNames(stage.boundaries));
  return (await settingsRead(stage.copy.query))
    .filter(({ setting }) => setting.includes('.') && !known.has(setting))
    .map(({ setting, by }) => ({
      subject: by[0] ?? setting,
      severity: 'warning' as const,
      what: `it reads the setting ${setting}, which every session may set to any value.`,
      fix: 'Let a role decide, not a setting: pg_has_role(current_user, …) in the policy, or a policy TO that role.',
    }));
}

const DEFAULTED_SQL = `
  SELECT coalesce(r.rolname, 'every role')::pg_catalog.text AS role, pg_catalog.split_part(c, '=', 1) AS setting
  FROM pg_catalog.pg_db_role_setting s LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
  CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) c
  WHERE pg_catalog.split_part(c, '=', 1) = ANY ($1) AND (s.setrole = 0 OR r.rolname = ANY ($2))
    AND s.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))`;

/** A default owner: a session that set nothing works for it. What is set for other databases and their roles is theirs. */
async function defaultedSettings(stage: Stage): Promise<Told[]> {
  const rows = await stage.copy.query<{ role: string; setting: string }>(DEFAULTED_SQL, [
    settingNames(stage.boundaries),
    stage.crews.map(({ role, through }) => through ?? role),
  ]);
  return rows.map(({ role, setting }) => ({
    subject: `setting ${setting}`,
    severity: 'error' as const,
    what: `${role} has a default for it: a session that sets nothing works for that owner instead of for nobody.`,
    fix: role === 'every role' ? `ALTER DATABASE … RESET ${setting}` : `ALTER ROLE ${role} RESET ${setting}`,
  }));
}

/** PostgreSQL lets such a function see rows before any policy was asked. */
function falselyLeakproof(stage: Stage): void {
  for (const routine of stage.routines.filter((one) => one.leakproof)) {
    stage.board.say({
      subject: routine.signature,
      severity: 'error',
      what: 'it is marked LEAKPROOF: in a WHERE it is handed rows that policies hide, before they are asked.',
      fix: `ALTER FUNCTION ${routine.signature} NOT LEAKPROOF`,
    });
  }
}

// A payload that is a literal or the name of what fired tells that something happened, and nothing of a row.
const PAYLOAD = /pg_notify\s*\([^,]+,(?!\s*('[^']*'|TG_\w+)\s*\))|\bNOTIFY\s+[\w"]+\s*,\s*(?!'[^']*'\s*;)/i;

/** What NOTIFY carries is heard by every role that listens. */
function notifying(stage: Stage): void {
  const loud = stage.routines.filter((routine) => PAYLOAD.test(routine.body));
  if (loud.length === 0) return;
  stage.board.tried(DATABASE, 'NOTIFY');
  stage.board.tell(DATABASE, 'NOTIFY');
  for (const routine of loud) {
    stage.board.say({
      subject: `function ${routine.signature}`,
      severity: 'warning',
      what: 'it sends NOTIFY; every role that may connect hears every channel, with the payload.',
      fix: 'Send only a key that tells nothing, and let the listener read the row under its own policy.',
    });
  }
}

/** The first minors without the leak, by major. */
const MENDED: Readonly<Record<number, number>> = { 15: 20, 16: 16, 17: 12, 18: 7 };

/**
 * Servers before these minors show hidden rows to a role that may INSERT, UPDATE and SELECT (CVE-2026-120154).
 * @see https://www.postgresql.org/support/security/
 */
function leakingServer(stage: Stage): void {
  const version = stage.copy.versionNumber;
  const [major, minor] = [Math.trunc(version / 10_000), version % 10_000];
  const mended = MENDED[major];
  if (mended === undefined || minor >= mended) return;
  const open = stage.crews.find((crew) =>
    stage.targets.some((target) => {
      const rights = crew.rights.get(target.oid);
      return (
        target.rowSecurity &&
        rights !== undefined &&
        [rights.select, rights.insert, rights.update].every((list) => list.length > 0)
      );
    }),
  );
  stage.board.say({
    subject: `PostgreSQL ${major}.${minor}`,
    severity: open === undefined ? 'info' : 'error',
    what:
      `before ${major}.${mended} the server itself shows hidden rows to a role that may INSERT, UPDATE and SELECT (CVE-2026-120154)` +
      (open === undefined
        ? '; no application role may do all three here.'
        : `; ${open.role} may do all three here.`),
    fix: `Update the server to ${major}.${mended} or later: no schema closes this.`,
  });
}
