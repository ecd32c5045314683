PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO alembic_version VALUES('0011');
CREATE TABLE api_key (
	id VARCHAR(32) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	secret_sha256 BLOB NOT NULL, 
	scopes JSON NOT NULL, 
	created_at BIGINT NOT NULL, 
	expires_at BIGINT, 
	revoked_at BIGINT, 
	last_used_at BIGINT, 
	CONSTRAINT pk_api_key PRIMARY KEY (id)
);
INSERT INTO api_key VALUES('b195437b963d6342','site',X'7da02ce42e4c3e2837841361f66fc1940add4827c029b2d980c0b18e307bb9dc','["lead", "report", "review", "screen"]',1796023376625332,NULL,NULL,NULL);
CREATE TABLE bank (
	id INTEGER NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	label VARCHAR(64), 
	description TEXT NOT NULL, 
	action VARCHAR(16) NOT NULL, 
	thresholds JSON NOT NULL, 
	min_quality INTEGER NOT NULL, 
	enabled BOOLEAN NOT NULL, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	CONSTRAINT pk_bank PRIMARY KEY (id), 
	CONSTRAINT uq_bank_name UNIQUE (name)
);
INSERT INTO bank VALUES(1,'known','known','A1','','block','{}',50,1,1796023374514613,1796023374514613);
INSERT INTO bank VALUES(2,'rejected-matches','allow',NULL,'Matches that reviewers rejected','hold','{"pdq": 10}',50,1,1796023376448250,1796023376448250);
CREATE TABLE clock (
	id INTEGER NOT NULL, 
	sequence BIGINT NOT NULL, 
	banks BIGINT NOT NULL, 
	CONSTRAINT pk_clock PRIMARY KEY (id)
);
INSERT INTO clock VALUES(1,2,2);
CREATE TABLE event (
	id INTEGER NOT NULL, 
	at BIGINT NOT NULL, 
	subject VARCHAR(16) NOT NULL, 
	subject_id INTEGER NOT NULL, 
	actor VARCHAR(128) NOT NULL, 
	action VARCHAR(64) NOT NULL, 
	detail JSON NOT NULL, 
	CONSTRAINT pk_event PRIMARY KEY (id)
);
INSERT INTO event VALUES(1,1796023374514613,'bank',1,'cli:ada','created','{"name": "known"}');
INSERT INTO event VALUES(2,1796023376448250,'bank',2,'person:1','created','{"name": "rejected-matches"}');
CREATE TABLE meta (
	name VARCHAR(64) NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_meta PRIMARY KEY (name)
);
INSERT INTO meta VALUES('identity','406f28ed3dba4f37a045933be453b23f');
INSERT INTO meta VALUES('pseudonym-key','11fba82b3fb12a6a887194f191e8fe3abd6f4eadacc4ec739c57507a660c6563');
CREATE TABLE signal (
	id INTEGER NOT NULL, 
	type VARCHAR(64) NOT NULL, 
	value BLOB NOT NULL, 
	active BOOLEAN NOT NULL, 
	sequence BIGINT NOT NULL, 
	CONSTRAINT pk_signal PRIMARY KEY (id), 
	CONSTRAINT uq_signal_type_value UNIQUE (type, value)
);
INSERT INTO signal VALUES(1,'pdq',X'f3460871c6e93e0e87f6fc498ece30f08c9719cc3f0c63fde01ce3892770be03',1,1);
INSERT INTO signal VALUES(2,'sha256',X'9c0fe717ff0b7950070e1bfd6ea0c9eb6ca79e5534911d82793b056a444d506c',1,2);
CREATE TABLE verdict (
	id VARCHAR(32) NOT NULL, 
	at BIGINT NOT NULL, 
	decision VARCHAR(16) NOT NULL, 
	content_sha256 VARCHAR(64), 
	document JSON NOT NULL, 
	CONSTRAINT pk_verdict PRIMARY KEY (id)
);
INSERT INTO verdict VALUES('6080b359b36f40c2a24fdb78dfe8b20b',1796023376230391,'block','9c0fe717ff0b7950070e1bfd6ea0c9eb6ca79e5534911d82793b056a444d506c','{"id": "6080b359b36f40c2a24fdb78dfe8b20b", "at": "2026-11-30T07:22:56.230391+00:00", "decision": "block", "reasons": [{"code": "match-block", "message": "sha256 within 0 of an entry of bank ''known'' (threshold 0, label A1)"}], "matches": [{"bank": "known", "entry_id": 1, "signal": "sha256", "value": "9c0fe717ff0b7950070e1bfd6ea0c9eb6ca79e5534911d82793b056a444d506c", "distance": 0, "threshold": 0, "view": "whole", "quality": null, "label": "A1", "source": "exchange:hotline", "reference": "ref-1", "action": "block", "region": null, "part": "", "seconds": null, "span": null, "suppressed_by": null}], "matches_omitted": 0, "hashes": [{"signal": "md5", "value": "f7e1670d747b71358ba808bc146fa556", "view": "whole", "quality": null, "part": "", "seconds": null}, {"signal": "sha1", "value": "2111a2e3ce249c6c5e85a5447a5bf020eb8657a2", "view": "whole", "quality": null, "part": "", "seconds": null}, {"signal": "sha256", "value": "9c0fe717ff0b7950070e1bfd6ea0c9eb6ca79e5534911d82793b056a444d506c", "view": "whole", "quality": null, "part": "", "seconds": null}, {"signal": "pdq", "value": "f3460871c6e93e0e87f6fc498ece30f08c9719cc3f0c63fde01ce3892770be03", "view": "whole", "quality": 47, "part": "", "seconds": null}], "hashes_omitted": 0, "media_type": "image/png", "width": 96, "height": 96, "byte_length": 2492, "sha256": "9c0fe717ff0b7950070e1bfd6ea0c9eb6ca79e5534911d82793b056a444d506c", "context": {"item": "upload-1"}, "timings": {"examine_ms": 8.516, "search_ms": 4.877, "total_ms": 13.393}, "versions": {"engine": "0.1.0", "lists": {"embedding": 0, "md5": 0, "pdq": 1, "photodna": 0, "sha1": 0, "sha256": 2, "tmk": 0, "vpdq": 0}}}');
INSERT INTO verdict VALUES('acdb315fdf56424d87c11d962e3dd1cd',1796023376324589,'block','9c0fe717ff0b7950070e1bfd6ea0c9eb6ca79e5534911d82793b056a444d506c','{"id": "acdb315fdf56424d87c11d962e3dd1cd", "at": "2026-11-30T07:22:56.324589+00:00", "decision": "block", "reasons": [{"code": "match-block", "message": "sha256 within 0 of an entry of bank ''known'' (threshold 0, label A1)"}], "matches": [{"bank": "known", "entry_id": 1, "signal": "sha256", "value": "9c0fe717ff0b7950070e1bfd6ea0c9eb6ca79e5534911d82793b056a444d506c", "distance": 0, "threshold": 0, "view": "whole", "quality": null, "label": "A1", "source": "exchange:hotline", "reference": "ref-1", "action": "block", "region": null, "part": "", "seconds": null, "span": null, "suppressed_by": null}], "matches_omitted": 0, "hashes": [{"signal": "md5", "value": "f7e1670d747b71358ba808bc146fa556", "view": "whole", "quality": null, "part": "", "seconds": null}, {"signal": "sha1", "value": "2111a2e3ce249c6c5e85a5447a5bf020eb8657a2", "view": "whole", "quality": null, "part": "", "seconds": null}, {"signal": "sha256", "value": "9c0fe717ff0b7950070e1bfd6ea0c9eb6ca79e5534911d82793b056a444d506c", "view": "whole", "quality": null, "part": "", "seconds": null}, {"signal": "pdq", "value": "f3460871c6e93e0e87f6fc498ece30f08c9719cc3f0c63fde01ce3892770be03", "view": "whole", "quality": 47, "part": "", "seconds": null}], "hashes_omitted": 0, "media_type": "image/png", "width": 96, "height": 96, "byte_length": 2492, "sha256": "9c0fe717ff0b7950070e1bfd6ea0c9eb6ca79e5534911d82793b056a444d506c", "context": {"item": "upload-2"}, "timings": {"examine_ms": 4.897, "search_ms": 2.509, "total_ms": 7.407}, "versions": {"engine": "0.1.0", "lists": {"embedding": 0, "md5": 0, "pdq": 1, "photodna": 0, "sha1": 0, "sha256": 2, "tmk": 0, "vpdq": 0}}}');
INSERT INTO verdict VALUES('21f6c7915fa74c3d9b9f12f6af2e0d79',1796023376374001,'hold','81f9eaadfc9368a3e2d3d195cd2d1fdcbcfcedbda112042fa04cf5afbbeae423','{"id": "21f6c7915fa74c3d9b9f12f6af2e0d79", "at": "2026-11-30T07:22:56.374001+00:00", "decision": "hold", "reasons": [{"code": "unknown-type", "message": "the content is of no known type"}], "matches": [], "matches_omitted": 0, "hashes": [{"signal": "md5", "value": "80ea9c67b4c601dc1151a6ea3ef4ec45", "view": "whole", "quality": null, "part": "", "seconds": null}, {"signal": "sha1", "value": "3b27ad3ef38284da2e23f3d20800ae004a182e62", "view": "whole", "quality": null, "part": "", "seconds": null}, {"signal": "sha256", "value": "81f9eaadfc9368a3e2d3d195cd2d1fdcbcfcedbda112042fa04cf5afbbeae423", "view": "whole", "quality": null, "part": "", "seconds": null}], "hashes_omitted": 0, "media_type": null, "width": null, "height": null, "byte_length": 18, "sha256": "81f9eaadfc9368a3e2d3d195cd2d1fdcbcfcedbda112042fa04cf5afbbeae423", "context": {"item": "upload-3"}, "timings": {"examine_ms": 0.853, "search_ms": 0.136, "total_ms": 0.989}, "versions": {"engine": "0.1.0", "lists": {"embedding": 0, "md5": 0, "pdq": 1, "photodna": 0, "sha1": 0, "sha256": 2, "tmk": 0, "vpdq": 0}}}');
CREATE TABLE import_run (
	id INTEGER NOT NULL, 
	bank_id INTEGER NOT NULL, 
	source VARCHAR(255) NOT NULL, 
	fingerprint VARCHAR(128) NOT NULL, 
	actor VARCHAR(128) NOT NULL, 
	lines BIGINT NOT NULL, 
	added BIGINT NOT NULL, 
	unchanged BIGINT NOT NULL, 
	rejected BIGINT NOT NULL, 
	finished BOOLEAN NOT NULL, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	CONSTRAINT pk_import_run PRIMARY KEY (id), 
	CONSTRAINT fk_import_run_bank_id FOREIGN KEY(bank_id) REFERENCES bank (id)
);
CREATE TABLE entry (
	id INTEGER NOT NULL, 
	bank_id INTEGER NOT NULL, 
	signal_id INTEGER NOT NULL, 
	source VARCHAR(255) NOT NULL, 
	reference VARCHAR(255) NOT NULL, 
	label VARCHAR(64), 
	note TEXT, 
	state VARCHAR(16) NOT NULL, 
	reason TEXT, 
	created_by VARCHAR(128) NOT NULL, 
	import_id INTEGER, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	CONSTRAINT pk_entry PRIMARY KEY (id), 
	CONSTRAINT fk_entry_bank_id FOREIGN KEY(bank_id) REFERENCES bank (id), 
	CONSTRAINT fk_entry_import_id FOREIGN KEY(import_id) REFERENCES import_run (id), 
	CONSTRAINT fk_entry_signal_id FOREIGN KEY(signal_id) REFERENCES signal (id), 
	CONSTRAINT uq_entry_signal_id_bank_id_source_reference UNIQUE (signal_id, bank_id, source, reference)
);
INSERT INTO entry VALUES(1,1,2,'exchange:hotline','ref-1',NULL,NULL,'active',NULL,'exchange:hotline',NULL,1796023376198580,1796023376198580);
INSERT INTO entry VALUES(2,1,1,'exchange:hotline','ref-1',NULL,NULL,'active',NULL,'exchange:hotline',NULL,1796023376198580,1796023376198580);
INSERT INTO entry VALUES(3,2,2,'cases','item-2',NULL,NULL,'active','case 27e57e58bc384532addbfcf7abcddf8c: a statue','person:1',NULL,1796023376460571,1796023376460571);
CREATE TABLE entry_value (
	id INTEGER NOT NULL, 
	entry_id INTEGER NOT NULL, 
	signal_id INTEGER NOT NULL, 
	"view" VARCHAR(64) NOT NULL, 
	seconds FLOAT, 
	quality INTEGER, 
	CONSTRAINT pk_entry_value PRIMARY KEY (id), 
	CONSTRAINT fk_entry_value_entry_id FOREIGN KEY(entry_id) REFERENCES entry (id), 
	CONSTRAINT fk_entry_value_signal_id FOREIGN KEY(signal_id) REFERENCES signal (id)
);
CREATE TABLE job (
	id VARCHAR(32) NOT NULL, 
	spool VARCHAR(32) NOT NULL, 
	actor VARCHAR(128) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	byte_length BIGINT NOT NULL, 
	sealed_key BLOB, 
	attempts INTEGER NOT NULL, 
	holder VARCHAR(32), 
	held_until BIGINT, 
	verdict JSON, 
	error TEXT, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	CONSTRAINT pk_job PRIMARY KEY (id)
);
INSERT INTO job VALUES('e29370ba825b44e99edeebae4ac1e28c','0a25185deb275146be8b79359dc0ea5d','key:1','pending',2492,X'5f5143b031a6c38fd0c46de48cac86ecc9ec667979170684158a094b6b92facf6b1ed2e85a020b12851ba9ea0984aae53b00a4f98052c74527af18e6',0,NULL,NULL,NULL,NULL,1796023376684791,1796023376684791);
CREATE TABLE outbox (
	id INTEGER NOT NULL, 
	topic VARCHAR(64) NOT NULL, 
	"key" VARCHAR(255) NOT NULL, 
	lane VARCHAR(255), 
	payload JSON NOT NULL, 
	progress JSON NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	attempts INTEGER NOT NULL, 
	next_at BIGINT NOT NULL, 
	holder VARCHAR(32), 
	last_error TEXT, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	CONSTRAINT pk_outbox PRIMARY KEY (id), 
	CONSTRAINT uq_outbox_topic_key UNIQUE (topic, "key")
);
INSERT INTO outbox VALUES(1,'webhook','hide/match/1/platform','platform/case/72bb9f49777247abacb397f2b6769d79','{"endpoint": "platform", "type": "effect.hide", "timestamp": "2026-11-30T07:22:56.292078+00:00", "data": {"effect": "hide", "case": "72bb9f49777247abacb397f2b6769d79", "items": ["upload-1"], "verdicts": ["6080b359b36f40c2a24fdb78dfe8b20b"], "outcome": null}}','{}','pending',0,1796023376292108,NULL,NULL,1796023376292108,1796023376292108);
INSERT INTO outbox VALUES(2,'webhook','case.opened/1/platform','platform/case/72bb9f49777247abacb397f2b6769d79','{"endpoint": "platform", "type": "case.opened", "timestamp": "2026-11-30T07:22:56.300788+00:00", "data": {"case": "72bb9f49777247abacb397f2b6769d79", "item": 1, "queue": "match", "label": "A1", "urgency": 100, "platform_item": "upload-1"}}','{}','pending',0,1796023376300819,NULL,NULL,1796023376300819,1796023376300819);
INSERT INTO outbox VALUES(3,'exchange.feedback','1:1:first match:seen','1:1','{"exchange": "hotline", "key": "ref-1", "signal": "sha256", "value": "9c0fe717ff0b7950070e1bfd6ea0c9eb6ca79e5534911d82793b056a444d506c", "opinion": "seen", "reason": ""}','{}','pending',0,1796023376309468,NULL,NULL,1796023376309468,1796023376309468);
INSERT INTO outbox VALUES(4,'report.at-match','1',NULL,'{"item": 1, "case": "72bb9f49777247abacb397f2b6769d79"}','{}','pending',0,1796023376310596,NULL,NULL,1796023376310596,1796023376310596);
INSERT INTO outbox VALUES(5,'webhook','hide/match/2/platform','platform/case/27e57e58bc384532addbfcf7abcddf8c','{"endpoint": "platform", "type": "effect.hide", "timestamp": "2026-11-30T07:22:56.359750+00:00", "data": {"effect": "hide", "case": "27e57e58bc384532addbfcf7abcddf8c", "items": ["upload-2"], "verdicts": ["acdb315fdf56424d87c11d962e3dd1cd"], "outcome": null}}','{}','pending',0,1796023376359775,NULL,NULL,1796023376359775,1796023376359775);
INSERT INTO outbox VALUES(6,'webhook','case.opened/2/platform','platform/case/27e57e58bc384532addbfcf7abcddf8c','{"endpoint": "platform", "type": "case.opened", "timestamp": "2026-11-30T07:22:56.360196+00:00", "data": {"case": "27e57e58bc384532addbfcf7abcddf8c", "item": 2, "queue": "match", "label": "A1", "urgency": 100, "platform_item": "upload-2"}}','{}','pending',0,1796023376360214,NULL,NULL,1796023376360214,1796023376360214);
INSERT INTO outbox VALUES(7,'report.at-match','2',NULL,'{"item": 2, "case": "27e57e58bc384532addbfcf7abcddf8c"}','{}','pending',0,1796023376367899,NULL,NULL,1796023376367899,1796023376367899);
INSERT INTO outbox VALUES(8,'webhook','case.opened/3/platform','platform/case/287873b9b4cd413198ad2a6c7e468b07','{"endpoint": "platform", "type": "case.opened", "timestamp": "2026-11-30T07:22:56.403603+00:00", "data": {"case": "287873b9b4cd413198ad2a6c7e468b07", "item": 3, "queue": "unscreened", "label": null, "urgency": 10, "platform_item": "upload-3"}}','{}','pending',0,1796023376403628,NULL,NULL,1796023376403628,1796023376403628);
INSERT INTO outbox VALUES(9,'webhook','case.decided/72bb9f49777247abacb397f2b6769d79/8/platform','platform/case/72bb9f49777247abacb397f2b6769d79','{"endpoint": "platform", "type": "case.decided", "timestamp": "2026-11-30T07:22:56.434310+00:00", "data": {"case": "72bb9f49777247abacb397f2b6769d79", "outcomes": {"confirm": 1}, "label": "A1"}}','{}','pending',0,1796023376434327,NULL,NULL,1796023376434327,1796023376434327);
INSERT INTO outbox VALUES(10,'exchange.feedback','1:1:item:1@1796023376428872:confirmed','1:1','{"exchange": "hotline", "key": "ref-1", "signal": "sha256", "value": "9c0fe717ff0b7950070e1bfd6ea0c9eb6ca79e5534911d82793b056a444d506c", "opinion": "confirmed", "reason": ""}','{}','pending',0,1796023376437821,NULL,NULL,1796023376437821,1796023376437821);
INSERT INTO outbox VALUES(11,'webhook','restore/decision/2/platform','platform/case/27e57e58bc384532addbfcf7abcddf8c','{"endpoint": "platform", "type": "effect.restore", "timestamp": "2026-11-30T07:22:56.457152+00:00", "data": {"effect": "restore", "case": "27e57e58bc384532addbfcf7abcddf8c", "items": ["upload-2"], "verdicts": ["acdb315fdf56424d87c11d962e3dd1cd"], "outcome": "reject"}}','{}','pending',0,1796023376457172,NULL,NULL,1796023376457172,1796023376457172);
INSERT INTO outbox VALUES(12,'webhook','case.decided/27e57e58bc384532addbfcf7abcddf8c/11/platform','platform/case/27e57e58bc384532addbfcf7abcddf8c','{"endpoint": "platform", "type": "case.decided", "timestamp": "2026-11-30T07:22:56.470785+00:00", "data": {"case": "27e57e58bc384532addbfcf7abcddf8c", "outcomes": {"reject": 1}, "label": null}}','{}','pending',0,1796023376470806,NULL,NULL,1796023376470806,1796023376470806);
INSERT INTO outbox VALUES(13,'exchange.feedback','1:1:item:2@1796023376455713:rejected','1:1','{"exchange": "hotline", "key": "ref-1", "signal": "sha256", "value": "9c0fe717ff0b7950070e1bfd6ea0c9eb6ca79e5534911d82793b056a444d506c", "opinion": "rejected", "reason": ""}','{}','pending',0,1796023376476947,NULL,NULL,1796023376476947,1796023376476947);
INSERT INTO outbox VALUES(14,'report.rejected','2',NULL,'{"item": 2, "case": "27e57e58bc384532addbfcf7abcddf8c"}','{}','pending',0,1796023376477796,NULL,NULL,1796023376477796,1796023376477796);
INSERT INTO outbox VALUES(15,'webhook','notice.received/65e84399eee74135a0b1ac8ca5171d74/platform','platform/notice/65e84399eee74135a0b1ac8ca5171d74','{"endpoint": "platform", "type": "notice.received", "timestamp": "2026-11-30T07:22:56.585884+00:00", "data": {"notice": "65e84399eee74135a0b1ac8ca5171d74", "authority": "Ofcom", "reference": "R-1", "due_at": "2026-12-01T07:22:56.573070+00:00", "targets": [{"kind": "url", "value": "https://site.example/1"}]}}','{}','pending',0,1796023376585894,NULL,NULL,1796023376585894,1796023376585894);
INSERT INTO outbox VALUES(16,'webhook','case.opened/4/platform','platform/case/2ca7dd294e674dc19126b2ab0aea239c','{"endpoint": "platform", "type": "case.opened", "timestamp": "2026-11-30T07:22:56.607892+00:00", "data": {"case": "2ca7dd294e674dc19126b2ab0aea239c", "item": 4, "queue": "intake", "label": null, "urgency": 90, "platform_item": "intake:62c957ae45664978ae1135116f2a3f56"}}','{}','pending',0,1796023376607913,NULL,NULL,1796023376607913,1796023376607913);
CREATE TABLE evidence (
	id VARCHAR(32) NOT NULL, 
	content_sha256 VARCHAR(64), 
	content_object VARCHAR(64), 
	content_bytes BIGINT, 
	context_object VARCHAR(64) NOT NULL, 
	wrapped_key BLOB, 
	recipients JSON NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	created_at BIGINT NOT NULL, 
	keep_until BIGINT, 
	destroyed_at BIGINT, 
	destroyed_why TEXT, 
	CONSTRAINT pk_evidence PRIMARY KEY (id)
);
INSERT INTO evidence VALUES('b79093b9781d4715a40c13d7377815ad','9c0fe717ff0b7950070e1bfd6ea0c9eb6ca79e5534911d82793b056a444d506c','cdd82a4e7fc405be6f8f12af74059a028bd1d18e5a1cd8f7c560e0183c1caddc',2524,'08f29c89ddf336cd0e8924c6717e88b58ef4080a35c41435417948edf228f7ff',X'6167652d656e6372797074696f6e2e6f72672f76310a2d3e205832353531392069726f345950683677763346703365754b4f373651636a47697a33326c42776e3465564842522f447268300a3549682f6c526f2b58497550444978797968597a436d704364416d6d525171475330796d6f4b70396154770a2d3e207a5d2d6772656173650a43416e357933410a2d2d2d204c317130773444566c3574446d3537616132596f6b3777755668316f61775a32786c31792b4e3443684f6b0a6167652d656e6372797074696f6e2e6f72672f76310a2d3e20583235353139204e394c59594f626c466e384a6c6f6a68484a68657a644745527a464a4d6769525a4454677636714b6d6a450a50756f32354b38747a6832494a6971713741466c41526339444b4d633545737577507478616c62444b64510a2d3e20576e704b422d6772656173652022347a0a424a427659694e3042676f574e714f2b77434271767a43337a5571486e323333634f6978482b337932743072444e35347476377a364a626f4958334d7743704c0a6653362b52504e534c37694d2b54716c2b427839413341376e306a656e54564834583068354d6d424961735775714f2b6f756b6636770a2d2d2d20506737504153656f413554367a6c7a6b6c3766777a4f686e4f7549696b3241436539627334544e4673574d0a','["age15wvpnf46vrna3dzkamj2wdhwvwhr76d46llzrr9vv7lvf5qkup6qp3g6gu"]','kept',1796023376262188,NULL,NULL,NULL);
INSERT INTO evidence VALUES('1fe5717f414843dd8a523189590bbba7','9c0fe717ff0b7950070e1bfd6ea0c9eb6ca79e5534911d82793b056a444d506c','d601cff1d7e6700c302d0cb45ccea74059f20a79551cbaab30a3b539b0f2715d',2524,'65e5e45d753eca868c8748fcd76e1f265308a0041a247101b6dc4a68e3fb9bb7',X'6167652d656e6372797074696f6e2e6f72672f76310a2d3e205832353531392036776c647035674d44324a52515433443875366c64615661564878766839453748704c50476e426961546b0a5a483274514a486b73774b716e7262466c4b6a416e6f52757a59427a6d615845572b795a3366624d4d2f450a2d3e205c416a2d6772656173652037776128330a6c566b4241696374732f48587a5254315238317537386d62633139660a2d2d2d20554e736e412f76417872504963327450386f77416f6b435861466e765070563042795151464251557861340a6167652d656e6372797074696f6e2e6f72672f76310a2d3e2058323535313920304869564a6862346a2f78324d67555a675776572b767a68716e4a3338533765427a6c536d315732426d510a5735344334594d485948396e66763644684376363341432b365430787147703171454f69706f2b6f70686b0a2d3e20297d2d67726561736520546555395a305d2053325e592320462240202a477e4631364d4b0a31572b3275732b58446c2b727177573974466e744b6d6b77454b30325978416678385473364d6a78586931753171730a2d2d2d2072304d4637654135552f342f54502b397172314259446d6650457a5a6a4a3555386d6e2f46446d5138396b0a','["age15wvpnf46vrna3dzkamj2wdhwvwhr76d46llzrr9vv7lvf5qkup6qp3g6gu"]','kept',1796023376353641,1798615376457541,NULL,NULL);
INSERT INTO evidence VALUES('3e2c2eb3e00f4a0abaeae657401bf3d4','81f9eaadfc9368a3e2d3d195cd2d1fdcbcfcedbda112042fa04cf5afbbeae423','25a63e3dd8a8aaefcbb03cade7b4ba574629da5a94394a2d10bb80f292d9b4a4',50,'1e68be622509b3e3ab29d12ef4d09d402f03bd2b0cb080bc81dc9849d5e67f39',X'6167652d656e6372797074696f6e2e6f72672f76310a2d3e2058323535313920417036456e496d494b655a45526b795159366a50524c342b64456f33612b324133486878517077693756450a456251563444442b436d34554a7659595878507a77624379453058746b58696b744959746a4d7a6f354c4d0a2d3e20352f346c7177652d677265617365203e3f785672512c5120767c6547225455690a422b436d426c584b596d5652777965684f7336657a7a6b4a4e69696464506465496342565958664f5a63536e2b2f39627a666163744a77534f4f326e4c5439710a4752765478464c6c37754b4e6b387175686d31694c73786e654f426a38626b6149326d790a2d2d2d2037466253392b662b776d394370773066675a71443755773450437931756f77432f79624b354a35376b7a550a6167652d656e6372797074696f6e2e6f72672f76310a2d3e2058323535313920773141453864304375736b3658396a2b366b304a54376f4165444d376d57746936486e44565472774d68490a2b39673465414e6974653479385534586e6576754a5649744738546f7434414764734f53467541324a4b630a2d3e204049482d6772656173650a576a5244703967744c346b35574864363875380a2d2d2d204f6158335037633139547650462f3466366e742f706d6843382f563535593533754b664a4f7470485862510a','["age15wvpnf46vrna3dzkamj2wdhwvwhr76d46llzrr9vv7lvf5qkup6qp3g6gu"]','kept',1796023376397707,NULL,NULL,NULL);
INSERT INTO evidence VALUES('b8dee38304dd414981b513a272c0ec2a',NULL,NULL,NULL,'e1e4665045117c40354dd1de2e249e9f426f10cc17ece17c1d12f28d5450044e',X'6167652d656e6372797074696f6e2e6f72672f76310a2d3e20583235353139206838786f4a654d5578364d6372384b32476b62484b63794b3265686f3477593273445955424d545a7a48730a6a584248503330423179673068313455596374755130634b51474b494c656c485779433839372b426c4f770a2d3e206c2d67726561736520453d5d445f4e20253b56307c20617853456d643a4c20240a583571584a336e4258487772557277634b5968755045487379546f6a564256417776533165417136664f5a44665451686b6558586766387058663449366332500a41366c375778714a4138436a5175616f685450354838427a4e4477646d703555616363663450635456797841766c526a7857735838670a2d2d2d2043656a4a494744566245436644775a7a30656a3561563934594147323735584b47455252472f4a647941340a','["age15wvpnf46vrna3dzkamj2wdhwvwhr76d46llzrr9vv7lvf5qkup6qp3g6gu"]','kept',1796023376601179,NULL,NULL,NULL);
CREATE TABLE evidence_hold (
	id INTEGER NOT NULL, 
	evidence_id VARCHAR(32) NOT NULL, 
	reference VARCHAR(255) NOT NULL, 
	reason TEXT NOT NULL, 
	placed_by VARCHAR(128) NOT NULL, 
	placed_at BIGINT NOT NULL, 
	released_by VARCHAR(128), 
	released_at BIGINT, 
	released_why TEXT, 
	CONSTRAINT pk_evidence_hold PRIMARY KEY (id), 
	CONSTRAINT fk_evidence_hold_evidence_id FOREIGN KEY(evidence_id) REFERENCES evidence (id)
);
INSERT INTO evidence_hold VALUES(1,'1fe5717f414843dd8a523189590bbba7','order 1','asked','cli:ada',1796023376699107,NULL,NULL,NULL);
CREATE TABLE audit (
	sequence BIGINT NOT NULL, 
	at BIGINT NOT NULL, 
	actor VARCHAR(128) NOT NULL, 
	action VARCHAR(64) NOT NULL, 
	subject VARCHAR(160) NOT NULL, 
	detail TEXT NOT NULL, 
	chain BLOB NOT NULL, 
	CONSTRAINT pk_audit PRIMARY KEY (sequence)
);
INSERT INTO audit VALUES(0,1796023376263704,'screening','evidence.sealed','evidence:b79093b9781d4715a40c13d7377815ad','{"content":"cdd82a4e7fc405be6f8f12af74059a028bd1d18e5a1cd8f7c560e0183c1caddc","context":"08f29c89ddf336cd0e8924c6717e88b58ef4080a35c41435417948edf228f7ff","recipients":["age15wvpnf46vrna3dzkamj2wdhwvwhr76d46llzrr9vv7lvf5qkup6qp3g6gu"]}',X'104435225d5754afaff5db1e2583146cef065f75919006d0e8fe1ffe35aed85e');
INSERT INTO audit VALUES(1,1796023376291458,'screening','case.opened','case:72bb9f49777247abacb397f2b6769d79','{"evidence":"b79093b9781d4715a40c13d7377815ad","item":1,"label":"A1","queue":"match","urgency":100}',X'993d5bfab2c77c5afce6bd17e48a45c68c6d3cd6e49d0ba2a5ca46bf839f54f2');
INSERT INTO audit VALUES(2,1796023376354132,'screening','evidence.sealed','evidence:1fe5717f414843dd8a523189590bbba7','{"content":"d601cff1d7e6700c302d0cb45ccea74059f20a79551cbaab30a3b539b0f2715d","context":"65e5e45d753eca868c8748fcd76e1f265308a0041a247101b6dc4a68e3fb9bb7","recipients":["age15wvpnf46vrna3dzkamj2wdhwvwhr76d46llzrr9vv7lvf5qkup6qp3g6gu"]}',X'83999817b5d8cb7ea8e2fa57e94ddc3d1cab5279b6c7ff54bb619978e60bc73c');
INSERT INTO audit VALUES(3,1796023376359213,'screening','case.opened','case:27e57e58bc384532addbfcf7abcddf8c','{"evidence":"1fe5717f414843dd8a523189590bbba7","item":2,"label":"A1","queue":"match","urgency":100}',X'9e15dfc8e750ed47e43125d7051d0ad470f73e0e8b719560e1b0002d7f6e68c0');
INSERT INTO audit VALUES(4,1796023376398256,'screening','evidence.sealed','evidence:3e2c2eb3e00f4a0abaeae657401bf3d4','{"content":"25a63e3dd8a8aaefcbb03cade7b4ba574629da5a94394a2d10bb80f292d9b4a4","context":"1e68be622509b3e3ab29d12ef4d09d402f03bd2b0cb080bc81dc9849d5e67f39","recipients":["age15wvpnf46vrna3dzkamj2wdhwvwhr76d46llzrr9vv7lvf5qkup6qp3g6gu"]}',X'fea1dbd412509f3203c3768377f510d25808d6618e1ac6ee4c2687fd5cd77b34');
INSERT INTO audit VALUES(5,1796023376403108,'screening','case.opened','case:287873b9b4cd413198ad2a6c7e468b07','{"evidence":"3e2c2eb3e00f4a0abaeae657401bf3d4","item":3,"label":null,"queue":"unscreened","urgency":10}',X'f8a346c4fd7eddd13416636c6011829c9c1f16a53e7b0117754a7cee37bd4cc1');
INSERT INTO audit VALUES(6,1796023376420807,'person:1','case.claimed','case:72bb9f49777247abacb397f2b6769d79','{"until":"2026-11-30T07:37:56.420018+00:00"}',X'603fec34c6af7068ca9c470dfe946e4d7186d3d973146bd1745040c31676e054');
INSERT INTO audit VALUES(7,1796023376430281,'person:1','case.decision','case:72bb9f49777247abacb397f2b6769d79','{"final":true,"item":1,"label":"A1","outcome":"confirm","reason_sha256":"7208794c984ea1c75d13877c7427336fe98722c41a056eeee4f37360ec367123"}',X'e2cc9fec01cd98227a2de5a8ccc239741eb53925df7a58434c0008696c8c60cd');
INSERT INTO audit VALUES(8,1796023376433387,'person:1','case.decided','case:72bb9f49777247abacb397f2b6769d79','{}',X'7f49a6316b07d6dcb8a0d491156e27306d1657473879060f193f4f78548f7878');
INSERT INTO audit VALUES(9,1796023376456612,'person:1','case.decision','case:27e57e58bc384532addbfcf7abcddf8c','{"final":true,"item":2,"label":null,"outcome":"reject","reason_sha256":"e6e11d07eee3d322878c11324bbacb77368ed8e11ba7e79f8a04a21ddcc7ec60"}',X'71658a3eefa06b2db297c928e0120b5c3cc671582d44f4e65370d0c9b391d77a');
INSERT INTO audit VALUES(10,1796023376459413,'person:1','evidence.kept','evidence:1fe5717f414843dd8a523189590bbba7','{"until":"2026-12-30T07:22:56.457541+00:00","why":"decided: reject"}',X'b7cc916a858b813e4f5352518881b7c4c30e5ebdfb6c4a2fa65b0b1ec0227edf');
INSERT INTO audit VALUES(11,1796023376469601,'person:1','case.decided','case:27e57e58bc384532addbfcf7abcddf8c','{}',X'6274b5875d8ae5c92b7017a017189a78558936bddc6e2dca9ad8623988005bc6');
INSERT INTO audit VALUES(12,1796023376495527,'cli:ada','evidence.opened','evidence:b79093b9781d4715a40c13d7377815ad','{"key":["age15wvpnf46vrna3dzkamj2wdhwvwhr76d46llzrr9vv7lvf5qkup6qp3g6gu"],"purpose":"report","what":"content"}',X'1519f95d2d3d2a51813bbc8859b4af149fc72e8ed226b8090f149c51587bc9f9');
INSERT INTO audit VALUES(13,1796023376506043,'cli:ada','evidence.opened','evidence:b79093b9781d4715a40c13d7377815ad','{"key":["age15wvpnf46vrna3dzkamj2wdhwvwhr76d46llzrr9vv7lvf5qkup6qp3g6gu"],"purpose":"report","what":"context"}',X'ded36be12fde674d78b71df90a0bc0b74b5f613c88906cea42c3e26ca9c3986b');
INSERT INTO audit VALUES(14,1796023376585146,'cli:ada','notice.received','notice:65e84399eee74135a0b1ac8ca5171d74','{"authority":"Ofcom","reference":"R-1","targets":1,"within_s":86400.0}',X'3219d99d25c5715309e5c3f5bb636fb5e85aae7dc879926eff9532bd9ee2446f');
INSERT INTO audit VALUES(15,1796023376601986,'flagger:hotline','evidence.sealed','evidence:b8dee38304dd414981b513a272c0ec2a','{"content":null,"context":"e1e4665045117c40354dd1de2e249e9f426f10cc17ece17c1d12f28d5450044e","recipients":["age15wvpnf46vrna3dzkamj2wdhwvwhr76d46llzrr9vv7lvf5qkup6qp3g6gu"]}',X'0ae3acc7b07ce7c303c881e91aaa055f7d8e188e6e81570294d6b182800ca518');
INSERT INTO audit VALUES(16,1796023376607312,'flagger:hotline','case.opened','case:2ca7dd294e674dc19126b2ab0aea239c','{"evidence":"b8dee38304dd414981b513a272c0ec2a","item":4,"label":null,"queue":"intake","urgency":90}',X'd298732d3d703bb2767b45104dcb175b3df2c4f73534ea3aa70b65995f86fba1');
INSERT INTO audit VALUES(17,1796023376615977,'flagger:hotline','intake.received','case:2ca7dd294e674dc19126b2ab0aea239c','{"category":"grooming","links":1,"source":"flagger:hotline"}',X'649b12459dc70eda6f162c529ce811597c4821e6efb3552a1a261dae53876a80');
INSERT INTO audit VALUES(18,1796023376654138,'upkeep','audit.checkpoint','key:tutela','{"hint":"4a2706d7"}',X'743cb9331f71cb618b11359f7f61f8a212554ee294649014f9f38856e3af40bd');
INSERT INTO audit VALUES(19,1796023376700458,'cli:ada','hold.placed','evidence:1fe5717f414843dd8a523189590bbba7','{"hold":1,"reason":"asked","reference":"order 1"}',X'bbf7c53ccdb1e7cdcc1785383338efc964b32ac8c38f2f3a80805f27d5d62d32');
CREATE TABLE audit_head (
	id INTEGER NOT NULL, 
	size BIGINT NOT NULL, 
	chain BLOB NOT NULL, 
	frontier JSON NOT NULL, 
	CONSTRAINT pk_audit_head PRIMARY KEY (id)
);
INSERT INTO audit_head VALUES(1,20,X'bbf7c53ccdb1e7cdcc1785383338efc964b32ac8c38f2f3a80805f27d5d62d32','["bebd69373b050c486212d2592d25bb2a120430eb9c10b1ce131bf5ecc51cbeda", "780308c017963d97771fe0dbc97f70a7de548d94925c435601eafa3985043c00"]');
CREATE TABLE audit_checkpoint (
	id INTEGER NOT NULL, 
	size BIGINT NOT NULL, 
	note TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT pk_audit_checkpoint PRIMARY KEY (id)
);
INSERT INTO audit_checkpoint VALUES(1,19,replace('tutela/406f28ed3dba4f37a045933be453b23f\n19\nBd4WDGGE4T3gDSu2z1e4msjpNXeaHkRsC2MORVPzn+s=\ntime 2026-11-30T07:22:56.654989+00:00\n\n— tutela SicG11Pe2R1dPjTTisee08yhRtLojjQ7+nMobpnYu0murg83rExwNG2J1t2klziaN1wIn0zZJS4ECFFxvfdlCVJH9QQ=\n','\n',char(10)),1796023376655349);
CREATE TABLE case_file (
	id VARCHAR(32) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	queue VARCHAR(16) NOT NULL, 
	urgency INTEGER NOT NULL, 
	label VARCHAR(64), 
	uploader VARCHAR(64), 
	claimed_by VARCHAR(128), 
	claimed_until BIGINT, 
	alarms INTEGER NOT NULL, 
	next_alarm_at BIGINT, 
	opened_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	CONSTRAINT pk_case_file PRIMARY KEY (id)
);
INSERT INTO case_file VALUES('72bb9f49777247abacb397f2b6769d79','decided','match',100,'A1','58c00fff9f0d68caa6ee33cbb048ab2bde26512e60d4d3191a4548ddc01e0dea',NULL,NULL,0,NULL,1796023376278194,1796023376431416);
INSERT INTO case_file VALUES('27e57e58bc384532addbfcf7abcddf8c','decided','match',100,NULL,'09b4200b222a0e06d81fada68cf0dfe97397f8c629649830b00f598895846d23',NULL,NULL,0,NULL,1796023376356797,1796023376463138);
INSERT INTO case_file VALUES('287873b9b4cd413198ad2a6c7e468b07','open','unscreened',10,NULL,'b3e3be61d42cfafcd8c02e881c196be08c94b5e7674d22a6944323b15f5cf946',NULL,NULL,0,1796109776399315,1796023376400392,1796023376400399);
INSERT INTO case_file VALUES('2ca7dd294e674dc19126b2ab0aea239c','open','intake',90,NULL,NULL,NULL,NULL,0,1796109776602653,1796023376604822,1796023376604830);
CREATE TABLE case_item (
	id INTEGER NOT NULL, 
	case_id VARCHAR(32) NOT NULL, 
	verdict_id VARCHAR(32), 
	evidence_id VARCHAR(32) NOT NULL, 
	item VARCHAR(255), 
	at BIGINT NOT NULL, 
	sha256 VARCHAR(64), 
	pdq BLOB, 
	media_type VARCHAR(128), 
	byte_length BIGINT, 
	label VARCHAR(64), 
	banks JSON NOT NULL, 
	entry_id BIGINT, 
	similar VARCHAR(32) NOT NULL, 
	decided BOOLEAN NOT NULL, address VARCHAR(64), md5 VARCHAR(32), 
	CONSTRAINT pk_case_item PRIMARY KEY (id), 
	CONSTRAINT fk_case_item_case_id FOREIGN KEY(case_id) REFERENCES case_file (id), 
	CONSTRAINT fk_case_item_evidence_id FOREIGN KEY(evidence_id) REFERENCES evidence (id), 
	CONSTRAINT fk_case_item_verdict_id FOREIGN KEY(verdict_id) REFERENCES verdict (id), 
	CONSTRAINT uq_case_item_evidence_id UNIQUE (evidence_id), 
	CONSTRAINT uq_case_item_verdict_id UNIQUE (verdict_id)
);
INSERT INTO case_item VALUES(1,'72bb9f49777247abacb397f2b6769d79','6080b359b36f40c2a24fdb78dfe8b20b','b79093b9781d4715a40c13d7377815ad','upload-1',1796023376230391,'9c0fe717ff0b7950070e1bfd6ea0c9eb6ca79e5534911d82793b056a444d506c',NULL,'image/png',2492,'A1','["known"]',1,'28a460d6bffa46a9a61be087487dba0b',1,'2d573c5f74eff1f50c539da7fc0c2a8bbd01e1194257e3051db06462f9f09bd8','f7e1670d747b71358ba808bc146fa556');
INSERT INTO case_item VALUES(2,'27e57e58bc384532addbfcf7abcddf8c','acdb315fdf56424d87c11d962e3dd1cd','1fe5717f414843dd8a523189590bbba7','upload-2',1796023376324589,'9c0fe717ff0b7950070e1bfd6ea0c9eb6ca79e5534911d82793b056a444d506c',NULL,'image/png',2492,'A1','["known"]',1,'28a460d6bffa46a9a61be087487dba0b',1,'fec4aa6b9fcd3f21d9bc7316966bbc79f0d4ec3311de1587642e16a089e7e1f4','f7e1670d747b71358ba808bc146fa556');
INSERT INTO case_item VALUES(3,'287873b9b4cd413198ad2a6c7e468b07','21f6c7915fa74c3d9b9f12f6af2e0d79','3e2c2eb3e00f4a0abaeae657401bf3d4','upload-3',1796023376374001,'81f9eaadfc9368a3e2d3d195cd2d1fdcbcfcedbda112042fa04cf5afbbeae423',NULL,NULL,18,NULL,'[]',NULL,'bfc4a3ad87d04364a062d6eda74abd88',0,NULL,'80ea9c67b4c601dc1151a6ea3ef4ec45');
INSERT INTO case_item VALUES(4,'2ca7dd294e674dc19126b2ab0aea239c',NULL,'b8dee38304dd414981b513a272c0ec2a','intake:62c957ae45664978ae1135116f2a3f56',1796023376592999,NULL,NULL,NULL,NULL,NULL,'[]',NULL,'5a4592f5197f4754856b6fd41a013d4f',0,NULL,NULL);
CREATE TABLE case_decision (
	id INTEGER NOT NULL, 
	case_id VARCHAR(32) NOT NULL, 
	item_id INTEGER NOT NULL, 
	outcome VARCHAR(16) NOT NULL, 
	label VARCHAR(64), 
	made_by VARCHAR(128) NOT NULL, 
	at BIGINT NOT NULL, 
	reason TEXT NOT NULL, 
	final BOOLEAN NOT NULL, 
	set_aside BOOLEAN NOT NULL, 
	CONSTRAINT pk_case_decision PRIMARY KEY (id), 
	CONSTRAINT fk_case_decision_case_id FOREIGN KEY(case_id) REFERENCES case_file (id), 
	CONSTRAINT fk_case_decision_item_id FOREIGN KEY(item_id) REFERENCES case_item (id)
);
INSERT INTO case_decision VALUES(1,'72bb9f49777247abacb397f2b6769d79',1,'confirm','A1','person:1',1796023376428872,'seen',1,0);
INSERT INTO case_decision VALUES(2,'27e57e58bc384532addbfcf7abcddf8c',2,'reject',NULL,'person:1',1796023376455713,'a statue',1,0);
CREATE TABLE case_report (
	id INTEGER NOT NULL, 
	case_id VARCHAR(32) NOT NULL, 
	target VARCHAR(64) NOT NULL, 
	reference VARCHAR(255) NOT NULL, 
	at BIGINT NOT NULL, 
	CONSTRAINT pk_case_report PRIMARY KEY (id), 
	CONSTRAINT fk_case_report_case_id FOREIGN KEY(case_id) REFERENCES case_file (id), 
	CONSTRAINT uq_case_report_case_id_target_reference UNIQUE (case_id, target, reference)
);
CREATE TABLE lease (
	name VARCHAR(64) NOT NULL, 
	holder VARCHAR(64) NOT NULL, 
	until BIGINT NOT NULL, 
	CONSTRAINT pk_lease PRIMARY KEY (name)
);
CREATE TABLE exchange (
	id INTEGER NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	kind VARCHAR(64) NOT NULL, 
	bank_id INTEGER NOT NULL, 
	options JSON NOT NULL, 
	giving JSON NOT NULL, 
	enabled BOOLEAN NOT NULL, 
	interval_s INTEGER NOT NULL, 
	stale_after_s INTEGER NOT NULL, 
	checkpoint TEXT, 
	version BIGINT NOT NULL, 
	generation INTEGER NOT NULL, 
	sweeping BOOLEAN NOT NULL, 
	sweep_at BIGINT, 
	listed BIGINT NOT NULL, 
	rejected BIGINT NOT NULL, 
	failures INTEGER NOT NULL, 
	error TEXT, 
	attempted_at BIGINT, 
	pulled_at BIGINT, 
	next_at BIGINT NOT NULL, 
	shared_through BIGINT NOT NULL, 
	created_by VARCHAR(128) NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT pk_exchange PRIMARY KEY (id), 
	CONSTRAINT fk_exchange_bank_id FOREIGN KEY(bank_id) REFERENCES bank (id), 
	CONSTRAINT uq_exchange_name UNIQUE (name)
);
INSERT INTO exchange VALUES(1,'hotline','files',1,'{"path": "/lists/known.csv"}','{"feedback": true, "seen": true, "share_bank": null, "share_labels": []}',1,300,10800,NULL,0,0,0,NULL,0,0,0,NULL,NULL,NULL,1796023374611832,0,'cli:ada',1796023374611832);
CREATE TABLE feed (
	id INTEGER NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	bank_id INTEGER NOT NULL, 
	signing_key VARCHAR(255) NOT NULL, 
	sequence BIGINT NOT NULL, 
	chain BLOB NOT NULL, 
	through_entry BIGINT NOT NULL, 
	through_event BIGINT NOT NULL, 
	created_by VARCHAR(128) NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT pk_feed PRIMARY KEY (id), 
	CONSTRAINT fk_feed_bank_id FOREIGN KEY(bank_id) REFERENCES bank (id), 
	CONSTRAINT uq_feed_name UNIQUE (name)
);
CREATE TABLE feed_member (
	feed_id INTEGER NOT NULL, 
	key_id VARCHAR(32) NOT NULL, 
	created_by VARCHAR(128) NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT pk_feed_member PRIMARY KEY (feed_id, key_id), 
	CONSTRAINT fk_feed_member_feed_id FOREIGN KEY(feed_id) REFERENCES feed (id), 
	CONSTRAINT fk_feed_member_key_id FOREIGN KEY(key_id) REFERENCES api_key (id)
);
CREATE TABLE feed_record (
	feed_id INTEGER NOT NULL, 
	sequence BIGINT NOT NULL, 
	document TEXT NOT NULL, 
	chain BLOB NOT NULL, 
	CONSTRAINT pk_feed_record PRIMARY KEY (feed_id, sequence), 
	CONSTRAINT fk_feed_record_feed_id FOREIGN KEY(feed_id) REFERENCES feed (id)
);
CREATE TABLE feed_return (
	id INTEGER NOT NULL, 
	feed_id INTEGER NOT NULL, 
	key_id VARCHAR(32) NOT NULL, 
	idempotency VARCHAR(128) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	document JSON NOT NULL, 
	at BIGINT NOT NULL, 
	CONSTRAINT pk_feed_return PRIMARY KEY (id), 
	CONSTRAINT fk_feed_return_feed_id FOREIGN KEY(feed_id) REFERENCES feed (id), 
	CONSTRAINT uq_feed_return_feed_id_key_id_idempotency UNIQUE (feed_id, key_id, idempotency)
);
CREATE TABLE remote_entry (
	id INTEGER NOT NULL, 
	exchange_id INTEGER NOT NULL, 
	"key" VARCHAR(255) NOT NULL, 
	media VARCHAR(16) NOT NULL, 
	labels TEXT NOT NULL, 
	listed BOOLEAN NOT NULL, 
	remote_at BIGINT NOT NULL, 
	generation INTEGER NOT NULL, 
	digest BLOB NOT NULL, 
	entries TEXT NOT NULL, 
	unknown TEXT, 
	upvotes INTEGER NOT NULL, 
	downvotes INTEGER NOT NULL, 
	CONSTRAINT pk_remote_entry PRIMARY KEY (id), 
	CONSTRAINT fk_remote_entry_exchange_id FOREIGN KEY(exchange_id) REFERENCES exchange (id), 
	CONSTRAINT uq_remote_entry_exchange_id_key UNIQUE (exchange_id, "key")
);
CREATE TABLE entry_flag (
	id INTEGER NOT NULL, 
	entry_id INTEGER NOT NULL, 
	flag VARCHAR(32) NOT NULL, 
	detail TEXT NOT NULL, 
	at BIGINT NOT NULL, 
	cleared_at BIGINT, 
	cleared_by VARCHAR(128), 
	CONSTRAINT pk_entry_flag PRIMARY KEY (id), 
	CONSTRAINT fk_entry_flag_entry_id FOREIGN KEY(entry_id) REFERENCES entry (id), 
	CONSTRAINT uq_entry_flag_entry_id_flag UNIQUE (entry_id, flag)
);
CREATE TABLE entry_opinion (
	entry_id INTEGER NOT NULL, 
	decision VARCHAR(64) NOT NULL, 
	opinion VARCHAR(16) NOT NULL, 
	at BIGINT NOT NULL, 
	CONSTRAINT pk_entry_opinion PRIMARY KEY (entry_id, decision), 
	CONSTRAINT fk_entry_opinion_entry_id FOREIGN KEY(entry_id) REFERENCES entry (id)
);
INSERT INTO entry_opinion VALUES(1,'item:1','confirmed',1796023376435686);
INSERT INTO entry_opinion VALUES(1,'item:2','rejected',1796023376472928);
CREATE TABLE report (
	id VARCHAR(32) NOT NULL, 
	"key" VARCHAR(255) NOT NULL, 
	case_id VARCHAR(64), 
	environment VARCHAR(16) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	stuck_in VARCHAR(16), 
	reason TEXT, 
	sealed BLOB NOT NULL, 
	number BIGINT, 
	opened_at BIGINT, 
	changed_at BIGINT, 
	restarts INTEGER NOT NULL, 
	attempts INTEGER NOT NULL, 
	due_at BIGINT NOT NULL, 
	holder VARCHAR(32), 
	held_until BIGINT NOT NULL, 
	created_by VARCHAR(128) NOT NULL, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	finished_at BIGINT, 
	CONSTRAINT pk_report PRIMARY KEY (id), 
	CONSTRAINT uq_report_key UNIQUE ("key")
);
INSERT INTO report VALUES('442b1b68e5cb4f6b871d669866090609','case:72bb9f49777247abacb397f2b6769d79:493ee6b7c06c8dc7a6e7a310322199c1','72bb9f49777247abacb397f2b6769d79','test','ready',NULL,NULL,X'6167652d656e6372797074696f6e2e6f72672f76310a2d3e20583235353139206e674573504f486936556b322b3357384f4c325a6356735150386c786646394341306342515361687931630a7741326d4d572b3131303470704e5352644a3862657068304954414442636434623945444e637041357a510a2d3e206b2d67726561736520516d7d3f53524e20702532434d497b43205b5628364c645c440a623361314634624e5a4f712b6134747848356b5a5666664c486e38513875303337717a512b7268314a6d4d552b317546447759414b6730584743564e48544e4b0a32762b4c326a7358446942503070705254526c3945726c643732304b6d7a515a7468574470774552586b74313073526b666e6e640a2d2d2d2051776f5878702b7842396d73634f316f776351385764392f4147722f726376526d33766d37447a3570334d0a3f0392fdda9e564a66eea2ce9316451480b567b22e16aab1b1e44a84f53ecd38b0c66173803f1d015764d673a8e5aeca8e21417164de732d30349324a7540172c989d7649bca0383c0152dcda6b1cedc14bac95029bb38302d0afdf119d6140334893042edbe5092b80cb3f3179134ca729825315187c5cbc592e195f6c8071560697ecb51bd15c393a1fcf81c7bada1c2a9e1f13eb17e01251037540561fa76d67808d85786e024f2de5cabe7b0f0d414654746506b616472403497b577d077bc8e666949f2a8ff15bffdb948d7302a79ca6b321b4251f1e982efb26d3687fc420573a063bd4cf2e578a922944aa89377a2ebc9ee4cabc2e2a218b6c0a3d0f6cb236eab144282ee9a33e7611b851146007cb948f26ec2ddb40c9126b57bb32331cb49d0c6dab042524c1e06b49d51f7aae72a64e94c781e66094f03332f3cceceffd973316ddf69eeea193dea0b838662234be3bf103738ebf52b8bea9801fcb9580ece6080300e023b0ecdf182c82f3e66fd2602781cf44dcf913b732f85f694a1a1f4bcc2a19930ff98d464b10ea198e1423cda23b7cca119f2f47788d6a07d95857ddf6a7250e4b0ab7336e8aeb9b198d58ec30c5149d51ccf45eeabc3d8b8bff39e013c355a9bbd2612186ea00ef125652b921d13b3ee3524ca66859c15bf9b0cc794d4710106d85a8b6239e15395728cba5817ea2bc12584eff6b95c4aa3073bdb8ced72acce638e1c80e2e107d859ff8ee7513fe68143673c8e8007671413805a21ad95580a9db31ee2720828b233f84ffa35e808d248c799fd2add37c6df7551fac6d49410d1b1422b38f583610906eeb1db3fac81825b9d78d86176abc7aba3ed14904570f4119457f7945b308fc51149ef47066dd69a4723d144c8e599c67dff31d52172cfb5dbd768f76ea0d4e3d2c468f9812641186ca279fb271e27b8406d91e75ae802df891e9e72990dbe27b6cc9bcf4bca195feef4819b9f79b5cdc176a0a77a4d676f5e7c0e4d23a33b46f37c183c0f6c9d776d71d2595f14a8a1e8a27b061b2df36eabdadf555e5814bcde2a7d2383aff8b67a4374c115e26e709ae77dadcd144c6e8b7d5c9831ba6b14a887a3b4eb1fa30df8adbbc522ef1b685ade0c57aa1dfea3105d54a9a3159d6f2e9adee72ce36041b583c246837d1567958ea9559a5c902d97fd98051d5e2ad0aac58c7159633e6466a8d7300f5bcb9e4f285e223a75d0f9598fc762a84c181b80fce80fbc121d3452109238dbdd385013e7d59e46b561406581a3a9c2437299abe37d4690b12b6701a9f49374e88d7a04dc4693978345df95a62cd54ef4c3c12db7c74d8b4c8163f4d441b9dd8ce3edf70e564a6310b54d6418a1262849bc21bf2578ce408a7ded800840f10ceef2c6608c451c6a7c40b12977b777decb78c500a718e6e470394809b0f04fae31ebbfd49beb02e65fbd71b710540915bd8858b99b2c6c4525b6e8d9155163f071a6565e02a0491ca380b2e48c6f74424d10e5ea3936fb88df82d78a2a94c4a74b8078e9b89d71e639d894f355978b40e8e82d56acf2c4753b514bc655d2ecbdb97e0ffe26445da3d3179f3fb806c92cedad9d00df7d44e931e5881f983d311e68af0ff5fd700a7a7197345398984998981c7a314e8ce14efe08dc4e2d5a91e5507579baabb59de0ad88e0c30a04436291672e11d0a2671de0e77890b8e8120cd94e05af436ba5a44ce633ad75d6868a562a8f5d3f4f6b35d4f69603e45946788def91b77066d28928827acb86c733792abe9eac9b00c0d765ca9b82dee8009c3c1951d16bcf35bd5d8a650f4f9b34d42725343fa106416dd4602c55c22877cb776aed61f6a2685f5bccffea8125fd92e738dc92cb5c08431518aa3540aba57d4676a5c915d9c7dbe0a3c5a328c827683a9741f6f81269f46cafb7cbb0db14a05062896bdf10e9b85962d2bbd1dc07a54fadaebae564d5d28258c661895580715286cd234d13d77ec736cea73793519d3497e01cd193ad6a7286015b72d614f2dc05264f1c889371af402218813e9d86088e781a2331edf0d9e5198e292982df22be64eb3cdb046466ce824c39b53c8b918f68b43add1dc40002d62a96eb8ea01a186f73d80aa54389472c007eb974026b90a5ac91b387f4fc4dfbd6676f38b16cfa2ff35a09f7208286da33154d7bd190876a480a8f2eb6d6680cc1c696e3553ab50a50a365e09d8c7e4bf591eccd8b40c59d0bdcbbaa10d972cb010eec28b01900d72734d2f080f04ea3825d9064d62d62c6cdf8bec2efbf80afb5c5d2b4108d843ae1130d04add1f4f65c2785e11737b58568e491966d35d649da1f478e3309d11b149117106689864b6d4f32a46c173970510289a7c2d03e223a84e39b9be28acf36e223fcccb368749cb9eaa924089913b72d84b629b3cbf6b95a55edd46c8c56c2f0baa313c3b2cb0a47ab5f85f420120b41d410ad00d3aeea9419d87169d84f219853bb76f36450944cb5d53203096f6c8abdd00384e4ee7b00d4e295b1c7838b6d736f6b377f36c86dd2fee9d01e1ea65de090aa72ce8c5606274b61c1553f7e7c17bebbf3baf330dcd7dd1a3f920a96b36979ed0449ef12a379beb74794b0f748d5a35edc376895e2d9f51acaf0cff68ef11f24cc6172883f282493fdddd4d3db9c1d9162c5fbbe84bd6ea4e98b978aa847425366fcb0db054a3750a456e299170f36fca51a5676480bd62ba0b0f49e80d669cb18a53fa209b3dae12d18319336fbf0f141a84cd1787fed6df9ede1c1431a2d9c714d0243dd65da444de77ddccaf9e56ff8a445417d337e2b3f23e8d46ea6f6d7336dd033c1f6f778ae4918c3c2f59b2f958aa04e9c2d0e196a65d95f725c21cfb5ed0e8cd32526618a7293ba30c81135b881ce93f1db027d1c1ffa431c37f4d91375f35e5b1444c9b730b49aaa38d00f5df08865e265fe8ec997f09fb7cc39c81b360398acb54119115994d676d8dbfa0ac2864d73226fbb76f3f13fcad5bb50e172ca6d3e08884cf9d37862037555b70ff53faac301210aa3c4c9edb87c4595fab48dd07f5c6fcfa13b1e8d9d568957160d67acff782671a05b409d37c67154e2d38c894757ef0bf7ef4a82cd4dd3354b35fafbaabcaeba6397b07330421c88bd9bffa5447a069b91a781c289526a1bca0ecbe3568a2f75ec4bf8d9b6a03e489891e0e89d39cc78353f6f4b8d4460089c0666fd52bc9e6c1ef9de6d9822b47975d6c4464f747f907cb91dc078f5b74c93ba6e313d8766b332820a2fdcbbdc896ef7aa29cdb421fd358fddffbffdf59d9db626fc1b484bbcc454ae542dcb99ed528c2b33a7479988be55392798f64da9c3c5d5c28e5e896e8a34b8f76c12ab1e966d66113d5e357eacf62e754e7fbe89d898fea715d683e2db1f05416ba06fb149f8979196b5e53361fadf73264bcc1bbbbca4ecfae3fae39111914e011465d399808c9bd245ab9d4e8b82ba5cba469cbc41d7423056902e47bb1210398421b991b26339fc72b9f97317a9235b715de4dfcdce8ec8ec00336cf3371d9226cf46fd16ed15a3861c12d55cf3ea0a752e2c14ddbb86ae6eae4cf09a826e169daf3d78125183c2016ad3722d222f64c6a7f3392c4ce19831c488e70744c0618e8e39a5a808bdf9f6956f2d4da0d1cbcc7dfebcf782d33a6e9d2614baad1b89f9bde251bc49425a98dc66d20729e2190b529018052bbe1b079f5e24aaa2cea76e675674b6d1d3341cde216e9c8622ff5248ef84610d1c78553aef810169b543ee48780909cdce57a0009ec5efb93026d6dc80127ce5187604749016bf90a6a8a7db86d2596d4c876e6333d1a7bd98cdaf3ffa3a56775e57c040a1190fb963689c89b05eb45bc44e6d6c3e21bcf3e4d476b906e6cb4669c8af131311928e3c5001050839a80c6b6eb7c44653b6ae9ec724693e5634516b50a4e83b000b039e3d3048533e61dde695de56039980b91c17b5a73f3b5829487c5c94b9413be52a18d12b220bc4f098a2a5b2a55f39ee034135696a859c1b475c57505aee2da4c8bcb234c8ccb60f2c4324536bfd63528db0582adee4bc9e22bd6f42e135be7c054eba5de5533403dc8b3893cb4a71a07c89adce2bde0f11b748af3556a3e9dd351896cd5d0d46d25ce220f9888dcc26c65c766911311346fdd143e8776c13955add39b45c6693169bf86ff4aa3e95d621b124244924b8cb554c9a3cce5d33cb61b7c441eb618d2c716770fe0bbb572532e4b1b4c57665fe37877c9c455f4ba51e992b554c5ce26c4f7bc80925ad1e7a3f8f04d2766f16e6e0bbe3dcfefa2dda67399ae36bee983c5ae2be12e8751796f45ce8969014344e4ff36397dba5d38c61c53f5f71ad2ca9102db06abd4e3d349459a2f5d9edbf4c94c4eed68716d65226badf8b9fb38f65ca94c1b5abe4797a50239d8bf58bbaf702d6736037bf76662e7770e7d10567a953c0d69ad2c1114aab0ff332d142df6eafbcead5743d167c12a42c541af52c26092769bda98114b05260eebeab49abc3817586a1b219088bca9db642c1689433cd93ba1f6c254c6e79f53f0f2a69e555238e2c4b02ee89b6f8d2513c4028e63a7b507db3eecbe0c7ea2b3b812bd2514c757baa5cb6c414adc333d7f6994565d5c5022ae5f9809a2b41b63e4a7bd117c2f3e47d67279ca9490e0f324c91ec9452ff21e9617385e58128e267159ed77786ba69733a8477cc5435c106c33e97c2e32e34d5b4e22855b94400b13c2dd4a81d6fb5286e10058195c068a57db18d5df546245c7ed3dc8503e4898fed6b98ef156af871c3cf711264ad5ae6fc3b9e1e233a02d16b29da5fd0f80976670cc518cd092a21cc835e2cb48e11b6c720de0d3c56116bbf1b5e54ab159103b23d12b42acd04e12916f34d69245a2ce736ce9ae96c4f9c90d02b8abf491c5323a4022332eedca339a73e95a9d1b50ee8370a54a55a0e759d8844d95f91ebb948987be2dd17fed6cf4d586b25dec986d7dd46e38d36934b3dd9977192f2dfc4b2394b27ff90fc646b03ecdd8fa1d267a9cb5836ae9c7f91eabe5ea15c035dcfb5d325e1d532b04e4f9505e7e7d6da70769352a12dac368a4ab2a71176f0c438491807eaf56d1f71ae120a870142da1b0b7ca502e76585788ac390be23f35d22bd0d29299471b14d0c71c67a708b1ce366fc77d24b7bb79ead9a46b20f8e',NULL,NULL,NULL,0,0,1796023376512001,NULL,0,'cli:ada',1796023376512001,1796023376512001,NULL);
CREATE TABLE report_file (
	id INTEGER NOT NULL, 
	report_id VARCHAR(32) NOT NULL, 
	position INTEGER NOT NULL, 
	evidence VARCHAR(255) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	file_id VARCHAR(255), 
	CONSTRAINT pk_report_file PRIMARY KEY (id), 
	CONSTRAINT fk_report_file_report_id_report FOREIGN KEY(report_id) REFERENCES report (id), 
	CONSTRAINT uq_report_file_report_id_position UNIQUE (report_id, position)
);
INSERT INTO report_file VALUES(1,'442b1b68e5cb4f6b871d669866090609',0,'b79093b9781d4715a40c13d7377815ad','waiting',NULL);
CREATE TABLE report_event (
	id INTEGER NOT NULL, 
	report_id VARCHAR(32) NOT NULL, 
	at BIGINT NOT NULL, 
	actor VARCHAR(128) NOT NULL, 
	action VARCHAR(64) NOT NULL, 
	number BIGINT, 
	code INTEGER, 
	detail TEXT NOT NULL, 
	CONSTRAINT pk_report_event PRIMARY KEY (id), 
	CONSTRAINT fk_report_event_report_id_report FOREIGN KEY(report_id) REFERENCES report (id)
);
INSERT INTO report_event VALUES(1,'442b1b68e5cb4f6b871d669866090609',1796023376512001,'cli:ada','added',NULL,NULL,'');
CREATE TABLE ceremony (
	token_sha256 BLOB NOT NULL, 
	purpose VARCHAR(16) NOT NULL, 
	secrets JSON NOT NULL, 
	expires_at BIGINT NOT NULL, 
	CONSTRAINT pk_ceremony PRIMARY KEY (token_sha256)
);
CREATE TABLE person (
	id VARCHAR(32) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	roles JSON NOT NULL, 
	preferences JSON NOT NULL, 
	oidc_issuer VARCHAR(255), 
	oidc_subject VARCHAR(255), 
	created_by VARCHAR(128) NOT NULL, 
	created_at BIGINT NOT NULL, 
	disabled_at BIGINT, 
	CONSTRAINT pk_person PRIMARY KEY (id), 
	CONSTRAINT uq_person_oidc_issuer_oidc_subject UNIQUE (oidc_issuer, oidc_subject)
);
INSERT INTO person VALUES('43bb8330812241cbb468e547cac512a5','Ada Admin','["admin", "lead", "reporter", "reviewer"]','{}',NULL,NULL,'cli:ada',1796023376630540,NULL);
CREATE TABLE console_session (
	id VARCHAR(32) NOT NULL, 
	person_id VARCHAR(32) NOT NULL, 
	token_sha256 BLOB NOT NULL, 
	previous_sha256 BLOB, 
	csrf VARCHAR(64) NOT NULL, 
	method VARCHAR(16) NOT NULL, 
	created_at BIGINT NOT NULL, 
	rotated_at BIGINT NOT NULL, 
	seen_at BIGINT NOT NULL, 
	ended_at BIGINT, 
	CONSTRAINT pk_console_session PRIMARY KEY (id), 
	CONSTRAINT fk_console_session_person_id FOREIGN KEY(person_id) REFERENCES person (id), 
	CONSTRAINT uq_console_session_token_sha256 UNIQUE (token_sha256)
);
CREATE TABLE exposure (
	id INTEGER NOT NULL, 
	person_id VARCHAR(32) NOT NULL, 
	case_id VARCHAR(32) NOT NULL, 
	item_id VARCHAR(64) NOT NULL, 
	severe BOOLEAN NOT NULL, 
	started_at BIGINT NOT NULL, 
	milliseconds BIGINT NOT NULL, 
	step INTEGER NOT NULL, 
	whole BOOLEAN NOT NULL, 
	CONSTRAINT pk_exposure PRIMARY KEY (id), 
	CONSTRAINT fk_exposure_person_id FOREIGN KEY(person_id) REFERENCES person (id)
);
CREATE TABLE invitation (
	token_sha256 BLOB NOT NULL, 
	person_id VARCHAR(32) NOT NULL, 
	created_by VARCHAR(128) NOT NULL, 
	created_at BIGINT NOT NULL, 
	expires_at BIGINT NOT NULL, 
	used_at BIGINT, 
	CONSTRAINT pk_invitation PRIMARY KEY (token_sha256), 
	CONSTRAINT fk_invitation_person_id FOREIGN KEY(person_id) REFERENCES person (id)
);
INSERT INTO invitation VALUES(X'c5e01b186876afd28f044c0bd863e25b4f8a0f8dc155eeaf44d69130d08c1992','43bb8330812241cbb468e547cac512a5','cli:ada',1796023376645274,1796109776645274,NULL);
CREATE TABLE passkey (
	id VARCHAR(64) NOT NULL, 
	person_id VARCHAR(32) NOT NULL, 
	credential_id BLOB NOT NULL, 
	public_key BLOB NOT NULL, 
	sign_count BIGINT NOT NULL, 
	created_at BIGINT NOT NULL, 
	last_used_at BIGINT, 
	CONSTRAINT pk_passkey PRIMARY KEY (id), 
	CONSTRAINT fk_passkey_person_id FOREIGN KEY(person_id) REFERENCES person (id)
);
CREATE TABLE second_look (
	id INTEGER NOT NULL, 
	case_id VARCHAR(32) NOT NULL, 
	item_id VARCHAR(64) NOT NULL, 
	asked_by VARCHAR(32) NOT NULL, 
	asked_at BIGINT NOT NULL, 
	answered_by VARCHAR(32), 
	answered_at BIGINT, 
	granted BOOLEAN, 
	CONSTRAINT pk_second_look PRIMARY KEY (id), 
	CONSTRAINT fk_second_look_answered_by FOREIGN KEY(answered_by) REFERENCES person (id), 
	CONSTRAINT fk_second_look_asked_by FOREIGN KEY(asked_by) REFERENCES person (id)
);
CREATE TABLE notice (
	id VARCHAR(32) NOT NULL, 
	authority VARCHAR(255) NOT NULL, 
	reference VARCHAR(255) NOT NULL, 
	law VARCHAR(255) NOT NULL, 
	text TEXT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	received_at BIGINT NOT NULL, 
	due_at BIGINT NOT NULL, 
	next_alarm_at BIGINT, 
	alarms INTEGER NOT NULL, 
	answer TEXT, 
	answered_at BIGINT, 
	answered_by VARCHAR(128), 
	created_by VARCHAR(128) NOT NULL, 
	CONSTRAINT pk_notice PRIMARY KEY (id), 
	CONSTRAINT uq_notice_authority_reference UNIQUE (authority, reference)
);
INSERT INTO notice VALUES('65e84399eee74135a0b1ac8ca5171d74','Ofcom','R-1','','','open',1796023376573070,1796109776573070,1796066576573070,0,NULL,NULL,NULL,'cli:ada');
CREATE TABLE notice_target (
	id INTEGER NOT NULL, 
	notice_id VARCHAR(32) NOT NULL, 
	position INTEGER NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	value TEXT NOT NULL, 
	outcome VARCHAR(16), 
	decided_at BIGINT, 
	CONSTRAINT pk_notice_target PRIMARY KEY (id), 
	CONSTRAINT fk_notice_target_notice_id_notice FOREIGN KEY(notice_id) REFERENCES notice (id), 
	CONSTRAINT uq_notice_target_notice_id_position UNIQUE (notice_id, position)
);
INSERT INTO notice_target VALUES(1,'65e84399eee74135a0b1ac8ca5171d74',0,'url','https://site.example/1',NULL,NULL);
CREATE TABLE intake (
	id VARCHAR(32) NOT NULL, 
	source VARCHAR(160) NOT NULL, 
	category VARCHAR(32) NOT NULL, 
	received_at BIGINT NOT NULL, 
	evidence_id VARCHAR(32) NOT NULL, 
	case_id VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_intake PRIMARY KEY (id), 
	CONSTRAINT fk_intake_evidence_id_evidence FOREIGN KEY(evidence_id) REFERENCES evidence (id)
);
INSERT INTO intake VALUES('62c957ae45664978ae1135116f2a3f56','flagger:hotline','grooming',1796023376592999,'b8dee38304dd414981b513a272c0ec2a','2ca7dd294e674dc19126b2ab0aea239c');
CREATE INDEX ix_event_subject_subject_id_id ON event (subject, subject_id, id);
CREATE INDEX ix_signal_type_sequence ON signal (type, sequence);
CREATE INDEX ix_verdict_at ON verdict (at);
CREATE INDEX ix_import_run_bank_id_fingerprint ON import_run (bank_id, fingerprint);
CREATE INDEX ix_entry_bank_id_id ON entry (bank_id, id);
CREATE INDEX ix_entry_value_entry_id_id ON entry_value (entry_id, id);
CREATE INDEX ix_entry_value_signal_id ON entry_value (signal_id);
CREATE INDEX ix_job_spool_state ON job (spool, state);
CREATE INDEX ix_job_state_updated_at ON job (state, updated_at);
CREATE INDEX ix_outbox_state_next_at ON outbox (state, next_at);
CREATE INDEX ix_outbox_lane_state_id ON outbox (lane, state, id);
CREATE INDEX ix_evidence_content_sha256 ON evidence (content_sha256);
CREATE INDEX ix_evidence_state_keep_until ON evidence (state, keep_until);
CREATE INDEX ix_evidence_hold_evidence_id ON evidence_hold (evidence_id);
CREATE INDEX ix_audit_subject_sequence ON audit (subject, sequence);
CREATE INDEX ix_case_file_state_next_alarm_at ON case_file (state, next_alarm_at);
CREATE INDEX ix_case_file_state_urgency_opened_at ON case_file (state, urgency, opened_at);
CREATE INDEX ix_case_file_uploader ON case_file (uploader);
CREATE INDEX ix_case_item_case_id ON case_item (case_id);
CREATE INDEX ix_case_item_entry_id ON case_item (entry_id);
CREATE INDEX ix_case_item_item ON case_item (item);
CREATE INDEX ix_case_item_sha256 ON case_item (sha256);
CREATE INDEX ix_case_item_similar ON case_item (similar);
CREATE INDEX ix_case_decision_case_id ON case_decision (case_id);
CREATE INDEX ix_case_decision_item_id ON case_decision (item_id);
CREATE INDEX ix_feed_return_feed_id_id ON feed_return (feed_id, id);
CREATE INDEX ix_report_case_id ON report (case_id);
CREATE INDEX ix_report_state_due_at ON report (state, due_at);
CREATE INDEX ix_report_file_evidence ON report_file (evidence);
CREATE INDEX ix_report_event_report_id_id ON report_event (report_id, id);
CREATE INDEX ix_console_session_person_id ON console_session (person_id);
CREATE INDEX ix_console_session_previous_sha256 ON console_session (previous_sha256);
CREATE INDEX ix_exposure_person_id_started_at ON exposure (person_id, started_at);
CREATE INDEX ix_exposure_started_at ON exposure (started_at);
CREATE INDEX ix_invitation_person_id ON invitation (person_id);
CREATE INDEX ix_passkey_person_id ON passkey (person_id);
CREATE INDEX ix_second_look_case_id_item_id ON second_look (case_id, item_id);
CREATE INDEX ix_notice_state_next_alarm_at ON notice (state, next_alarm_at);
CREATE INDEX ix_notice_state_due_at ON notice (state, due_at);
CREATE INDEX ix_intake_case_id ON intake (case_id);
CREATE INDEX ix_intake_source_received_at ON intake (source, received_at);
CREATE INDEX ix_case_item_address ON case_item (address);
CREATE INDEX ix_case_item_md5 ON case_item (md5);
COMMIT;
