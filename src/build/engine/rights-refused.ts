// A right that somebody with the grant option gave is theirs to take back: a REVOKE of the owner passes it by, and one
// from the role that gave it on fails.
// https://www.postgresql.org/docs/current/sql-revoke.html
import { HoldfastError } from '../../error.ts';
import { describe, keyOf } from './facts.ts';
import type { Holder } from './holders.ts';
import type { ForeignGrant } from './rights-read.ts';
import { between } from './rights-sql.ts';

/**
 * Refuses to take from a role what its object's owner did not give it, or what it gave on.
 * @throws HoldfastError HF_NOT_MANAGED
 */
export function refuseForeign(holder: Holder, foreign: readonly ForeignGrant[]): void {
  const { target, grantee, whole, columns } = holder;
  const lost = new Set(
    [whole, ...columns].flatMap(({ have, want }) => {
      const { revoke, revokeOption } = between(have, want);
      return [...revoke, ...revokeOption];
    }),
  );
  const key = keyOf(target);
  const given = foreign.find(
    (one) =>
      lost.has(one.privilege) &&
      keyOf(one.target) === key &&
      [one.grantor, one.grantee].includes(grantee ?? ''),
  );
  if (given === undefined) return;
  const { grantor, privilege } = given;
  throw new HoldfastError({
    code: 'HF_NOT_MANAGED',
    subject: describe(target),
    what: `${privilege} is to be taken from ${grantee ?? ''}, and ${given.grantee} holds it from ${grantor}, who is not the owner: only ${grantor} can take it back.`,
    fix: `As ${grantor}, REVOKE ${privilege} from ${given.grantee}; then plan again.`,
  });
}
