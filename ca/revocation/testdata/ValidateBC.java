import java.nio.file.*;
import java.security.cert.*;
import java.util.*;
import org.bouncycastle.asn1.ocsp.OCSPObjectIdentifiers;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.ocsp.*;
import org.bouncycastle.operator.jcajce.*;

// Reads one OCSP response with Bouncy Castle: the responder's signature, its
// certificate under the root, and the status of the one certificate in it.
//   java -cp bcprov:bcutil:bcpkix ValidateBC.java ocsp BC root.pem leaf.pem response.der
// Several checks are separated by "--"; each prints VALID, REVOKED, UNKNOWN or what is wrong.
public class ValidateBC {
    public static void main(String[] args) throws Exception {
        List<String> one = new ArrayList<>();
        for (String a : args) {
            if (a.equals("--")) { check(one); one.clear(); } else { one.add(a); }
        }
        check(one);
    }

    static X509Certificate read(String name) throws Exception {
        return (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(Files.newInputStream(Path.of(name)));
    }

    static void check(List<String> a) throws Exception {
        X509CertificateHolder root = new X509CertificateHolder(read(a.get(2)).getEncoded());
        X509CertificateHolder leaf = new X509CertificateHolder(read(a.get(3)).getEncoded());
        BasicOCSPResp r = (BasicOCSPResp) new OCSPResp(Files.readAllBytes(Path.of(a.get(4)))).getResponseObject();
        X509CertificateHolder by = r.getCerts()[0];
        if (!by.isSignatureValid(new JcaContentVerifierProviderBuilder().build(root)) || !r.isSignatureValid(new JcaContentVerifierProviderBuilder().build(by))) {
            System.out.println("SIGNATURE");
            return;
        }
        SingleResp s = r.getResponses()[0];
        if (!s.getCertID().matchesIssuer(root, new JcaDigestCalculatorProviderBuilder().build()) || !s.getCertID().getSerialNumber().equals(leaf.getSerialNumber())) {
            System.out.println("OTHER CERTIFICATE");
            return;
        }
        Object st = s.getCertStatus();
        System.out.println(st == CertificateStatus.GOOD ? "VALID" : st instanceof RevokedStatus ? "REVOKED" : "UNKNOWN");
    }
}
