// Views and materialised views as DDL. One view may read another that stands later; so each may be tried again.
import type { Model, View } from '../../define/model.ts';
import { label } from '../../define/model.ts';
import { ident, literal, qualified } from '../../sql.ts';
import type { LoweredStatement, Owned } from '../lower.ts';
import { indexComment, lowerIndex } from './index-ddl.ts';
import { statement } from './objects.ts';
import { parameters } from './clause.ts';

/** The statements of all views: the views, their indexes, their comments, and who owns them. */
export function lowerViews(model: Model): {
  readonly views: LoweredStatement[];
  readonly indexes: LoweredStatement[];
  readonly comments: LoweredStatement[];
  readonly owned: Owned[];
} {
  return {
    views: model.views.map((view) => ({
      ...statement(subjectOf(view), createView(view)),
      reorderable: true,
    })),
    indexes: model.views.flatMap((view) =>
      view.indexes.map((index) => ({ ...lowerIndex(view, index), reorderable: true })),
    ),
    comments: model.views.flatMap((view) => comments(view)),
    owned: model.views.map((view) => ({
      object: `${word(view)} ${qualified(view)}`,
      subject: subjectOf(view),
      ...(view.owner !== undefined && { owner: view.owner }),
    })),
  };
}

function createView(view: View): string {
  return [
    `CREATE ${word(view)} ${qualified(view)}`,
    ...(view.using === undefined ? [] : [`USING ${ident(view.using)}`]),
    ...(view.with === undefined ? [] : [`WITH (${parameters(view.with)})`]),
    ...(view.tablespace === undefined ? [] : [`TABLESPACE ${ident(view.tablespace)}`]),
    `AS ${view.query}`,
    ...(view.withNoData === true ? ['WITH NO DATA'] : []),
  ].join(' ');
}

function comments(view: View): LoweredStatement[] {
  const own = `COMMENT ON ${word(view)} ${qualified(view)} IS`;
  return [
    ...(view.comment === undefined ? [] : [statement(subjectOf(view), `${own} ${literal(view.comment)}`)]),
    ...view.indexes.flatMap((index) => indexComment(view, index)),
  ];
}

function word(view: View): string {
  return view.materialized ? 'MATERIALIZED VIEW' : 'VIEW';
}

function subjectOf(view: View): string {
  return `${word(view).toLowerCase()} ${label(view)}`;
}
